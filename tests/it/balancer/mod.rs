//! The drivers of the `balancer` floor against real load balancers.

mod haproxy;
