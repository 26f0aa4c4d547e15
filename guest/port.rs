//! A port of this network namespace, looked at from the outside: is it free to be taken, does it take connections.

use crate::sys::{self, Errno, Fd, POLLOUT, PollFd, SocketAddress, SocketOption};

/// How long one look may take.
const LOOK_US: u64 = 2_000;

/// Whether a server could bind it now, as servers do that set `SO_REUSEADDR`. Nobody who is connected notices.
pub fn is_free(port: u16) -> bool {
    let tried = |address: SocketAddress| -> sys::Result<()> {
        let socket = sys::tcp_socket(&address)?;
        sys::set_option(&socket, SocketOption::REUSE_ADDRESS, &[1]);
        sys::set_option(&socket, SocketOption::IPV6_ONLY, &[0]);
        sys::bind(&socket, &address)
    };
    // Both families at once: whoever listens on any address of either has it.
    match tried(SocketAddress::v6(0, port)) {
        Ok(()) => true,
        Err(Errno::EADDRINUSE) => false,
        // No IPv6 here.
        Err(_) => match tried(SocketAddress::v4([0; 4], port)) {
            Ok(()) => true,
            Err(Errno::EADDRINUSE) => false,
            // Not allowed to bind a low port on this engine: whether somebody takes connections has to do.
            Err(_) => !serves(port),
        },
    }
}

/// Whether it takes connections at the loopback address; each costs the server one that ends at once.
pub fn serves(port: u16) -> bool {
    connects(&SocketAddress::v4([127, 0, 0, 1], port)) || connects(&SocketAddress::v6(1, port))
}

fn connects(address: &SocketAddress) -> bool {
    let Ok(socket) = sys::tcp_socket(address) else { return false };
    sys::set_option(&socket, SocketOption::LINGER, &[1, 0]);
    match sys::connect(&socket, address) {
        Ok(()) => !is_its_own(&socket, address),
        Err(Errno::EINPROGRESS) => answers(&socket) && !is_its_own(&socket, address),
        Err(_) => false,
    }
}

fn answers(socket: &Fd) -> bool {
    let mut fds = [PollFd::new(socket.raw(), POLLOUT)];
    sys::poll(&mut fds, sys::now_us() + LOOK_US);
    fds[0].revents != 0 && sys::connect_result(socket).is_ok()
}

/// With nobody listening, a socket that happens to be given the very port it asks for connects to itself.
fn is_its_own(socket: &Fd, address: &SocketAddress) -> bool {
    sys::local_port(socket) == address.port()
}
