//! The zoo and the helpers that the example programs share.

pub mod chart;
pub mod digits;
pub mod distort;
pub mod drawing;
pub mod generated;
pub mod pairs;
pub mod paper;
pub mod plan;
pub mod speed;
pub mod steps;
pub mod summary;
pub mod text;
pub mod timeline;
pub mod yardstick;
pub mod zoo;
