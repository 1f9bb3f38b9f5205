//! mxr
