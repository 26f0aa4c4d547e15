//! What a benchmark has measured: ways of doing the same, their figures, and how they compare.
//!
//! Only arithmetic and words. Measuring is the work of `engine/bench/`; [`chart`] draws.

pub mod chart;

use serde::Serialize;
use std::collections::BTreeMap;

/// One way of doing something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Stop, remove, create, start, wait: one container after the other, as scripts do.
    Recreate,
    /// The new version in place, so many instances at once.
    Deploy(u32),
    /// The new version boots beside the old one, one instance at a time.
    Warm,
    /// In place with nothing but the engine's own calls, what was replaced removed at the end: what no tool can be faster than.
    Floor,
    /// Docker Compose, one service after the other.
    Compose,
    /// A Swarm service updated, each task stopped before the next one starts.
    Swarm,
    /// The engine's restart, one container after the other.
    PlainRestart,
    /// The app container's restart in its sandbox, one instance at a time.
    Restart,
    /// As many containers made one after the other.
    OneByOne,
    /// As many instances, each with its sandbox, made side by side.
    SideBySide,
}

impl Way {
    /// In data: `deploy_2`.
    pub fn key(self) -> String {
        match self {
            Self::Recreate => "recreate".to_owned(),
            Self::Deploy(batch) => format!("deploy_{batch}"),
            Self::Warm => "deploy_warm".to_owned(),
            Self::Floor => "floor".to_owned(),
            Self::Compose => "compose".to_owned(),
            Self::Swarm => "swarm".to_owned(),
            Self::PlainRestart => "plain_restart".to_owned(),
            Self::Restart => "restart".to_owned(),
            Self::OneByOne => "create_one_by_one".to_owned(),
            Self::SideBySide => "create_side_by_side".to_owned(),
        }
    }

    /// For people.
    pub fn words(self) -> String {
        match self {
            Self::Recreate => "recreate: stop, remove, create, start".to_owned(),
            Self::Deploy(batch) => format!("deploy in place, batch {batch}"),
            Self::Warm => "deploy in place, warm, batch 1".to_owned(),
            Self::Floor => "in place, engine calls alone (floor)".to_owned(),
            Self::Compose => "Compose, one service after the other".to_owned(),
            Self::Swarm => "Swarm service update, stop first".to_owned(),
            Self::PlainRestart => "restart plain containers".to_owned(),
            Self::Restart => "restart in place, batch 1".to_owned(),
            Self::OneByOne => "create plain containers one by one".to_owned(),
            Self::SideBySide => "create instances in parallel".to_owned(),
        }
    }

    /// What it is compared with.
    pub fn against(self) -> Self {
        match self {
            Self::Recreate | Self::Deploy(_) | Self::Warm | Self::Floor | Self::Compose | Self::Swarm => Self::Recreate,
            Self::PlainRestart | Self::Restart => Self::PlainRestart,
            Self::OneByOne | Self::SideBySide => Self::OneByOne,
        }
    }

    /// Whether clients ask meanwhile: what is created has none yet, and a Swarm says too late where its next task is.
    pub fn is_asked(self) -> bool {
        !matches!(self, Self::OneByOne | Self::SideBySide | Self::Swarm)
    }
}

/// One time that it was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    pub took_ms: f64,
    /// Each instance's longest time without a good answer, as a client saw it.
    pub gaps_ms: Vec<f64>,
    /// Requests of all clients.
    pub asked: u64,
    pub failed: u64,
    /// Steps in milliseconds, by their action.
    pub steps: Vec<(String, f64)>,
}

/// Several figures of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(figures: &[f64]) -> Option<Self> {
        let mut all = figures.to_vec();
        all.sort_by(f64::total_cmp);
        let (least, most) = (*all.first()?, *all.last()?);
        let half = all.len() / 2;
        let median = if all.len() % 2 == 1 { all[half] } else { f64::midpoint(all[half - 1], all[half]) };
        Some(Self { median: tenths(median), least: tenths(least), most: tenths(most) })
    }
}

/// A way with its figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub way: String,
    pub words: String,
    pub rounds: usize,
    pub took_ms: Spread,
    /// Of one instance; `None` where nobody asked.
    pub gap_ms: Option<Spread>,
    pub asked: u64,
    pub failed: u64,
    pub against: String,
    /// So many times as fast as what it is compared with; 1 for that itself.
    pub faster: Option<f64>,
    /// By action, all instances and rounds together.
    pub steps: BTreeMap<String, Spread>,
}

/// All figures of a run.
#[derive(Clone, Debug, Default)]
pub struct Figures(BTreeMap<Way, Vec<Sample>>);

impl Figures {
    pub fn add(&mut self, way: Way, sample: Sample) {
        self.0.entry(way).or_default().push(sample);
    }

    /// A row for each way, those that are compared together.
    pub fn rows(&self) -> Vec<Row> {
        self.0.iter().filter_map(|(way, samples)| self.row(*way, samples)).collect()
    }

    fn row(&self, way: Way, samples: &[Sample]) -> Option<Row> {
        let took_ms = took(samples)?;
        let base = self.0.get(&way.against()).and_then(|samples| took(samples));
        let gaps: Vec<f64> = samples.iter().flat_map(|sample| sample.gaps_ms.iter().copied()).collect();
        let mut steps: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (action, ms) in samples.iter().flat_map(|sample| &sample.steps) {
            steps.entry(action.clone()).or_default().push(*ms);
        }
        Some(Row {
            way: way.key(),
            words: way.words(),
            rounds: samples.len(),
            took_ms,
            gap_ms: Spread::of(&gaps),
            asked: samples.iter().map(|sample| sample.asked).sum(),
            failed: samples.iter().map(|sample| sample.failed).sum(),
            against: way.against().key(),
            faster: base
                .filter(|_| took_ms.median > 0.0)
                .map(|base| (base.median / took_ms.median * 100.0).round() / 100.0),
            steps: steps.into_iter().filter_map(|(action, all)| Some((action, Spread::of(&all)?))).collect(),
        })
    }
}

fn took(samples: &[Sample]) -> Option<Spread> {
    Spread::of(&samples.iter().map(|sample| sample.took_ms).collect::<Vec<_>>())
}

fn tenths(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_extremes_are_of_all_figures() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0, 1.0, 2.04]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0]), Some(Spread { median: 2.5, least: 1.0, most: 4.0 }));
    }

    #[test]
    fn each_way_is_compared_with_its_own_kind() {
        let mut figures = Figures::default();
        for (way, ms) in [
            (Way::Deploy(1), 200.0),
            (Way::Recreate, 800.0),
            (Way::Restart, 100.0),
            (Way::PlainRestart, 300.0),
            (Way::SideBySide, 50.0),
        ] {
            let steps = vec![("stop".to_owned(), ms / 2.0)];
            figures.add(way, Sample { took_ms: ms, gaps_ms: vec![ms], asked: 10, failed: 1, steps });
        }
        let steps = vec![("stop".to_owned(), 150.0)];
        figures.add(Way::Deploy(1), Sample { took_ms: 300.0, gaps_ms: vec![10.0], asked: 5, failed: 0, steps });
        let rows = figures.rows();
        let told: Vec<_> = rows.iter().map(|row| (row.way.as_str(), row.faster)).collect();
        let want = [
            ("recreate", Some(1.0)),
            ("deploy_1", Some(3.2)),
            ("plain_restart", Some(1.0)),
            ("restart", Some(3.0)),
            ("create_side_by_side", None),
        ];
        assert_eq!(told, want);
        let deploy = &rows[1];
        assert_eq!((deploy.rounds, deploy.asked, deploy.failed), (2, 15, 1));
        assert_eq!(deploy.gap_ms, Some(Spread { median: 105.0, least: 10.0, most: 200.0 }));
        assert_eq!(deploy.steps["stop"], Spread { median: 125.0, least: 100.0, most: 150.0 });
    }
}
