//! Naga's word on every kernel.

use frostline_shaders::{BnSilu, Candidates, ColourMap, Kernel, Letterbox, Pixels};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage, StorageAccess, TypeInner};

/// Storage buffers that every WebGPU device has.
const STORAGE_BUFFERS: usize = 8;

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

#[test]
fn names_tell_kernels_apart() {
    for (i, kernel) in Kernel::ALL.iter().enumerate() {
        for other in &Kernel::ALL[..i] {
            assert_ne!(kernel.name, other.name);
            assert_ne!(kernel.wgsl, other.wgsl);
        }
    }
}

/// Bindings in order: storage buffers with the bytes of an element, then one uniform with all of its bytes.
fn bindings(kernel: &Kernel) -> (Vec<u32>, u32) {
    let module = parsed(kernel);
    let mut found: Vec<_> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| {
            let at = variable.binding?;
            assert_eq!(at.group, 0, "{}", kernel.name);
            Some((at.binding, variable.space, &module.types[variable.ty].inner))
        })
        .collect();
    found.sort_by_key(|(binding, ..)| *binding);
    let mut storage = Vec::new();
    let mut uniform = None;
    for (at, (binding, space, inner)) in found.into_iter().enumerate() {
        assert_eq!(at, binding as usize, "{}: a gap", kernel.name);
        assert!(uniform.is_none(), "{}: the uniform comes last", kernel.name);
        match (space, inner) {
            (AddressSpace::Storage { access }, TypeInner::Array { stride, .. }) => {
                assert!(access.contains(StorageAccess::LOAD | StorageAccess::STORE));
                storage.push(*stride);
            }
            (AddressSpace::Uniform, TypeInner::Struct { span, .. }) => uniform = Some(*span),
            other => panic!("{}: {other:?}", kernel.name),
        }
    }
    assert!(storage.len() <= STORAGE_BUFFERS, "{}", kernel.name);
    (storage, uniform.expect("a uniform"))
}

#[test]
fn every_kernel_lays_its_buffers_out_as_its_binding_does() {
    let letterbox = Letterbox::new([10, 20], [30, 60], [1, 2], [64, 64]).expect("sizes");
    let pixels = Pixels::new(1, [2, 2]).expect("sizes");
    let norm = BnSilu::new(1, 4, 1e-3).expect("sizes");
    let candidates = Candidates::new(1, [1, 1], &[[1.0; 2]], 1, 8.0, 0, 0.5, 1).expect("sizes");
    let map = ColourMap::new(1, 1).expect("sizes");
    for (kernel, uniforms, storage) in [
        (
            Letterbox::KERNEL,
            letterbox.uniforms().len(),
            vec![4, 16, 4],
        ),
        (Pixels::KERNEL, pixels.uniforms().len(), vec![4, 16]),
        (BnSilu::MOMENTS, norm.uniforms(false).len(), vec![16; 2]),
        (BnSilu::NORMALISE, norm.uniforms(false).len(), vec![16; 8]),
        (BnSilu::ACTIVATE, norm.uniforms(true).len(), vec![16; 7]),
        (BnSilu::SLOPES, norm.uniforms(false).len(), vec![16; 4]),
        (BnSilu::SPREAD, norm.uniforms(false).len(), vec![16; 7]),
        (BnSilu::PASS, norm.uniforms(true).len(), vec![16; 4]),
        (Candidates::KERNEL, candidates.uniforms().len(), vec![4, 4]),
        (ColourMap::KERNEL, map.uniforms().len(), vec![4, 4]),
    ] {
        let (found, bytes) = bindings(&kernel);
        assert_eq!(found, storage, "{}", kernel.name);
        assert_eq!(bytes as usize, 4 * uniforms, "{}", kernel.name);
    }
    assert_eq!(letterbox.taps().len(), 4 * (30 + 60));
}
