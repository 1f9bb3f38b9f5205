//! CPU kernels of mxr.
