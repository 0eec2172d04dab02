//! What is written of a run is what is read, without what nobody is to read.
