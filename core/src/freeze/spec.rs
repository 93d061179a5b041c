//! The freeze language: `FromStr` and `Display`.
/// What a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeSpec {}
