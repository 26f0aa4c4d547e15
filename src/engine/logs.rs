//! Log lines of one or several instances, interleaved as they come.

use super::Error;
use crate::docker::{Docker, LogLine, LogOptions};
use crate::domain::fleet::{Container, Fleet, Instance};
use crate::domain::ids::{ContainerId, InstanceName};
use crate::domain::plan::Refusal;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

/// Lines held for a slow reader; the engine's stream then waits, and nothing is lost.
const BUFFER: usize = 256;

/// Lines that have come already and are given together, at most.
const TOGETHER: usize = 64;

/// Lines of one container, as many together as have come; an error comes after those before it, and is the last item.
pub type Lines = BoxStream<'static, Result<Vec<LogLine>, Error>>;

/// A line and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceLine {
    pub instance: InstanceName,
    pub line: LogLine,
}

/// Opens the logs of `target`; the streams end when the receiver is dropped.
pub(super) async fn open(
    docker: &Docker,
    target: &str,
    options: LogOptions,
) -> Result<mpsc::Receiver<Result<InstanceLine, Error>>, Error> {
    let fleet = Fleet::assemble(docker.info().clone(), docker.list().await?);
    let instances: Vec<&Instance> = match fleet.find_instance(target) {
        Some((_, instance)) => vec![instance],
        None => fleet.find(target).map_err(Refusal::Usage)?.instances.iter().collect(),
    };
    let (tell, lines) = mpsc::channel(BUFFER);
    for instance in instances {
        let Some(Container { id, .. }) = instance.app.as_deref() else { continue };
        let stream = docker.logs(id, options.clone()).await;
        let (tell, name) = (tell.clone(), instance.name.clone());
        tokio::spawn(async move {
            // One that is gone by now says so beside the others' lines.
            let mut stream = match stream {
                Ok(stream) => stream,
                Err(error) => return drop(tell.send(Err(error.into())).await),
            };
            while let Some(line) = stream.next().await {
                let line = line.map(|line| InstanceLine { instance: name.clone(), line }).map_err(Error::from);
                if tell.send(line).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(lines)
}

/// The log of one container. Dropping it closes the connection.
pub(super) async fn of_container(docker: &Docker, id: &ContainerId, options: LogOptions) -> Result<Lines, Error> {
    let stream = docker.logs(id, options).await?;
    Ok(stream
        .ready_chunks(TOGETHER)
        .flat_map(|lines| {
            let (mut good, mut error) = (Vec::new(), None);
            for line in lines {
                match line {
                    Ok(line) => good.push(line),
                    Err(failed) => error = Some(Err(Error::from(failed))),
                }
            }
            let good = (!good.is_empty()).then_some(Ok(good));
            stream::iter(good.into_iter().chain(error))
        })
        .boxed())
}
