pub mod cut;
pub mod escape;
pub mod function;
pub mod read;
mod shape;
pub mod template;
mod time;
mod tree;
