//! All services in one process, and the tools of an operator.
