//! stub
#![allow(clippy::todo, unused_variables, clippy::needless_pass_by_value)]
use super::{
    facts::Facts,
    options::Options,
    plan::{Plan, Refusal},
    project::ProjectSpec,
};
pub fn create(
    project: &ProjectSpec,
    services: &[String],
    scale: &[(String, u32)],
    facts: &Facts,
    o: &Options,
) -> Result<Plan, Refusal> {
    todo!()
}
pub fn deploy(
    app: &str,
    image: Option<&str>,
    project: Option<&ProjectSpec>,
    facts: &Facts,
    o: &Options,
) -> Result<Plan, Refusal> {
    todo!()
}
pub fn restart(targets: &[String], facts: &Facts, o: &Options) -> Result<Plan, Refusal> {
    todo!()
}
pub fn rollback(app: &str, to: Option<u32>, facts: &Facts, o: &Options) -> Result<Plan, Refusal> {
    todo!()
}
pub fn scale(app: &str, replicas: u32, facts: &Facts, o: &Options) -> Result<Plan, Refusal> {
    todo!()
}
pub fn remove(apps: &[String], volumes: bool, facts: &Facts, o: &Options) -> Result<Plan, Refusal> {
    todo!()
}
