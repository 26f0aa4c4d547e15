//! HAProxy by its Runtime API (HAProxy management guide 2.6, 9.3 "Unix Socket commands").
//!
//! One command per connection. For `set server` an empty answer is success and any text an error; `show stat` is a table
//! whose columns are found by name; `show servers state` has the bits of who took a server out. Needs a socket of level
//! `admin`: an `operator` may look but not drain.

use super::BalancerError;
use crate::domain::balancer::{Admin, Server, Traffic};
use crate::domain::clean::Clean;
use crate::domain::ids::ServerName;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// For one command, its answer included: HAProxy answers in a millisecond or not at all.
const DEADLINE: Duration = Duration::from_secs(5);

/// Longest answer read: a backend of 10,000 servers has about 4 MB.
const LONGEST: u64 = 16 << 20;

/// Bits of `srv_admin_state` (management guide, `show servers state`): maintenance by command, by a tracked server, by a name
/// that does not resolve; drain by command, by a tracked server. That the configuration began it in maintenance (0x04) stays
/// set when it serves.
const MAINT: u32 = 0x01 | 0x02 | 0x20;
const DRAIN: u32 = 0x08 | 0x10;

/// One backend of an HAProxy.
#[derive(Clone, Debug)]
pub struct Haproxy {
    socket: Socket,
    backend: ServerName,
    /// What it is called in messages.
    shown: String,
}

#[derive(Clone, Debug)]
enum Socket {
    Unix(PathBuf),
    Tcp(String),
}

impl Haproxy {
    /// `socket`: a path, or `host:port`.
    pub(super) fn new(socket: &str, backend: ServerName) -> Self {
        let shown = format!("haproxy {backend} at {socket}");
        let path = socket.strip_prefix("unix://").unwrap_or(socket);
        let socket = match socket.strip_prefix("tcp://") {
            Some(address) => Socket::Tcp(address.to_owned()),
            None if path.contains('/') => Socket::Unix(PathBuf::from(path)),
            None => Socket::Tcp(path.to_owned()),
        };
        Self { socket, backend, shown }
    }

    /// The backend's servers.
    pub(super) async fn servers(&self) -> Result<Vec<Server>, BalancerError> {
        let stat = self.ask(&format!("show stat {} 4 -1", self.backend)).await?;
        let state = self.ask(&format!("show servers state {}", self.backend)).await?;
        self.read(&stat, &state)
    }

    pub(super) async fn set(&self, server: &ServerName, admin: Admin) -> Result<(), BalancerError> {
        self.command(&format!("set server {}/{server} state {}", self.backend, admin.as_str())).await
    }

    /// It answers with what it changed, or that there was nothing to change.
    pub(super) async fn set_address(&self, server: &ServerName, address: SocketAddr) -> Result<(), BalancerError> {
        let (ip, port) = (address.ip(), address.port());
        let answer = self.ask(&format!("set server {}/{server} addr {ip} port {port}", self.backend)).await?;
        let done = ["changed from", "no need to change"].iter().any(|words| answer.contains(words));
        if done || answer.trim().is_empty() { Ok(()) } else { Err(self.refusal(&answer)) }
    }

    pub(super) async fn cut(&self, server: &ServerName) -> Result<(), BalancerError> {
        self.command(&format!("shutdown sessions server {}/{server}", self.backend)).await
    }

    /// A command whose success is silence.
    async fn command(&self, command: &str) -> Result<(), BalancerError> {
        let answer = self.ask(command).await?;
        if answer.trim().is_empty() { Ok(()) } else { Err(self.refusal(&answer)) }
    }

    async fn ask(&self, command: &str) -> Result<String, BalancerError> {
        let answer = tokio::time::timeout(DEADLINE, async {
            match &self.socket {
                Socket::Unix(path) => exchange(UnixStream::connect(path).await?, command).await,
                Socket::Tcp(address) => exchange(TcpStream::connect(address).await?, command).await,
            }
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(BalancerError::of_io(&self.shown, &error)),
            Err(_) => Err(BalancerError::late(&self.shown, DEADLINE)),
        }
    }

    fn refusal(&self, answer: &str) -> BalancerError {
        let first = answer.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let hint = if first.contains("Permission denied") {
            Some("the socket needs `level admin`: `stats socket … level admin` in its `global` section")
        } else if first.contains("No such proxy") || first.contains("Can't find backend") {
            Some("`show backend` on that socket lists those there are")
        } else {
            None
        };
        BalancerError::said(&self.shown, first, hint)
    }

    fn read(&self, stat: &str, state: &str) -> Result<Vec<Server>, BalancerError> {
        let stat_rows = table(stat, "# ", |line| line.split(',').collect());
        // Its first line is the format's version.
        let state_rows = table(state, "# ", |line| line.split(' ').collect());
        let (Some(stat_rows), Some(state_rows)) = (stat_rows, state_rows) else {
            let refused = if stat.trim_start().starts_with('#') { state } else { stat };
            return Err(self.refusal(refused));
        };
        let admin_bits: HashMap<&str, u32> = state_rows
            .iter()
            .filter_map(|row| Some((*row.get("srv_name")?, row.get("srv_admin_state")?.parse().ok()?)))
            .collect();
        let server = |row: &HashMap<&str, &str>| {
            let name = *row.get("svname")?;
            let bits = *admin_bits.get(name)?;
            let number = |key: &str| row.get(key).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            let status = row.get("status").copied().unwrap_or_default();
            let check = row.get("check_status").copied().unwrap_or_default();
            Some(Server {
                name: ServerName::new(name).ok()?,
                address: row.get("addr").and_then(|text| text.parse().ok()),
                admin: Some(match bits {
                    bits if bits & MAINT != 0 => Admin::Maint,
                    bits if bits & DRAIN != 0 => Admin::Drain,
                    _ => Admin::Ready,
                }),
                // `UP`, `UP 1/3` (going down), `no check`; drained and healthy: `DRAIN`, else `DRAIN (agent)`, `DOWN …`, `MAINT …`.
                up: ["UP", "no check", "DRAIN"].iter().any(|word| status.starts_with(word)),
                traffic: Some(Traffic {
                    sessions: number("scur"),
                    queued: number("qcur"),
                    idle: number("idle_conn_cur").max(number("srv_icur")),
                    total: number("stot"),
                    errors: number("econ") + number("eresp") + number("srv_abrt"),
                }),
                words: Clean::new(&if check.is_empty() { status.to_owned() } else { format!("{status}, {check}") }),
            })
        };
        Ok(stat_rows.iter().filter_map(server).collect())
    }
}

/// Sends one command and reads until HAProxy closes.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, command: &str) -> io::Result<String> {
    stream.write_all(format!("{command}\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The rows below the line of column names; `None` when there is no such line.
fn table<'a>(
    text: &'a str,
    mark: &str,
    split: impl Fn(&'a str) -> Vec<&'a str>,
) -> Option<Vec<HashMap<&'a str, &'a str>>> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(mark));
    let names = split(lines.next()?.strip_prefix(mark)?);
    let row = |line: &'a str| names.iter().copied().zip(split(line)).collect();
    Some(lines.filter(|line| !line.trim().is_empty()).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "# pxname,svname,qcur,scur,stot,econ,eresp,status,check_status,addr,srv_abrt,srv_icur,idle_conn_cur,\n\
        web,web-1,0,2,17,1,2,UP,L7OK,172.30.0.2:80,3,1,1,\n\
        web,web-2,4,0,5,0,0,DRAIN,L4OK,172.30.0.3:80,0,0,0,\n\
        web,web-3,0,0,0,0,0,MAINT,,[fd00::3]:80,0,0,0,\n\
        web,web-4,0,0,0,0,0,DOWN 1/2,L4CON,172.30.0.5:80,0,0,0,\n\
        web,web-5,0,0,0,0,0,UP,L4OK,172.30.0.6:80,0,0,0,\n\n";
    const STATE: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state\n\
        3 web 1 web-1 172.30.0.2 2 0\n3 web 2 web-2 172.30.0.3 2 8\n3 web 3 web-3 fd00::3 0 1\n3 web 4 web-4 172.30.0.5 0 0\n\
        3 web 5 web-5 172.30.0.6 2 4\n\n";

    fn haproxy() -> Haproxy {
        Haproxy::new("/run/x.sock", ServerName::new("web").unwrap())
    }

    #[test]
    fn a_table_becomes_servers() {
        let servers = haproxy().read(STAT, STATE).unwrap();
        let short: Vec<_> = servers.iter().map(|s| (s.name.as_str(), s.admin, s.up, s.words.as_str())).collect();
        assert_eq!(
            short,
            [
                ("web-1", Some(Admin::Ready), true, "UP, L7OK"),
                ("web-2", Some(Admin::Drain), true, "DRAIN, L4OK"),
                ("web-3", Some(Admin::Maint), false, "MAINT"),
                ("web-4", Some(Admin::Ready), false, "DOWN 1/2, L4CON"),
                // It was `disabled` in the configuration, and somebody has put it in.
                ("web-5", Some(Admin::Ready), true, "UP, L4OK"),
            ]
        );
        let traffic = Traffic { sessions: 2, queued: 0, idle: 1, total: 17, errors: 6 };
        assert_eq!(servers[0].traffic, Some(traffic));
        assert_eq!(servers[2].address, Some("[fd00::3]:80".parse().unwrap()));
    }

    #[test]
    fn a_refusal_is_told_with_what_to_do() {
        let error = haproxy().read("No such proxy.\n\n", "Can't find backend.\n\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "haproxy web at /run/x.sock: it said \"No such proxy.\"; `show backend` on that socket lists those there are"
        );
        assert!(haproxy().refusal("Permission denied\n\n").hint.is_some_and(|hint| hint.contains("level admin")));
    }

    #[test]
    fn no_name_can_carry_a_second_command() {
        for name in ["s1; disable server b/s2", "s1\ndisable", "s 1", "b/s1", "", "#1 x"] {
            assert!(ServerName::new(name).is_err(), "{name}");
        }
    }
}
