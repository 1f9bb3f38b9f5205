use mxr::tensor::rule::Flatten;
use mxr::tensor::shape;

struct Own;

impl Flatten for Own {
    type Output = shape![N, 4];
}

fn main() {}
