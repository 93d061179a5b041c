//! Naga's word on every kernel.

use frostline_shaders::{Kernel, Letterbox};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage};

fn parsed(kernel: &Kernel) -> Module {
    naga::front::wgsl::parse_str(kernel.wgsl)
        .unwrap_or_else(|error| panic!("{}: {}", kernel.name, error.emit_to_string(kernel.wgsl)))
}

#[test]
fn every_kernel_is_valid_without_optional_features() {
    for kernel in Kernel::ALL {
        let module = parsed(&kernel);
        let found = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module);
        assert!(found.is_ok(), "{}: {:?}", kernel.name, found.err());
    }
}

#[test]
fn every_kernel_has_the_entry_and_the_workgroup_that_its_binding_says() {
    for kernel in Kernel::ALL {
        let module = parsed(&kernel);
        let entry = module
            .entry_points
            .iter()
            .find(|entry| entry.name == kernel.entry)
            .expect("the entry point");
        assert_eq!(entry.stage, ShaderStage::Compute, "{}", kernel.name);
        assert_eq!(entry.workgroup_size, kernel.workgroup, "{}", kernel.name);
    }
}

/// Bytes of a variable's type, and of one element where it is an array without end.
fn bytes(module: &Module, binding: u32) -> (AddressSpace, u32) {
    let (_, variable) = module
        .global_variables
        .iter()
        .find(|(_, variable)| {
            variable
                .binding
                .is_some_and(|at| (at.group, at.binding) == (0, binding))
        })
        .expect("the binding");
    let size = match module.types[variable.ty].inner {
        naga::TypeInner::Array { stride, .. } => stride,
        naga::TypeInner::Struct { span, .. } => span,
        ref other => panic!("binding {binding}: {other:?}"),
    };
    (variable.space, size)
}

#[test]
fn letterbox_lays_its_buffers_out_as_the_binding_does() {
    let module = parsed(&Letterbox::KERNEL);
    let letterbox = Letterbox::new([10, 20], [30, 60], [1, 2], [64, 64]).expect("sizes that fit");
    assert_eq!(
        bytes(&module, 0),
        (AddressSpace::Uniform, letterbox.uniforms().len() as u32)
    );
    assert_eq!(bytes(&module, 1).1, 4);
    let (_, tap) = bytes(&module, 2);
    assert_eq!(letterbox.taps().len() as u32, tap * (30 + 60));
    assert_eq!(bytes(&module, 3).1, 4);
}
