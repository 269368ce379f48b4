//! HTTP: health and metrics of a running pipeline.
