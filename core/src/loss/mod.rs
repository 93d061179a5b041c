//! The detection loss (FACTS 3).
