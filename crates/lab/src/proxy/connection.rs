//! One connection through the proxy.

use std::sync::Mutex;

use tokio::{net::TcpStream, sync::watch};

use super::{
    counts::add,
    door::{Ticket, arm_reset, connect},
    flow::{End, Flow, Policy, Way},
    pump::Pump,
    tap::Tap,
};

/// Serves a client until both ways have ended, a command ends it, or the proxy is dropped.
pub(crate) async fn run(client: TcpStream, ticket: Ticket, mut policy: watch::Receiver<Policy>) {
    let _ = client.set_nodelay(true);
    let reached = tokio::select! {
        reached = connect(ticket.shared.upstream) => reached,
        end = ended(&ticket, &mut policy) => return finish(&[&client], end),
    };
    let Ok(server) = reached else {
        add(&ticket.shared.counters.unanswered, 1);
        let end = refused(&ticket, &mut policy).await;
        return finish(&[&client], end);
    };
    let _ = server.set_nodelay(true);
    serve(client, server, ticket, policy).await;
}

async fn serve(
    mut client: TcpStream,
    mut server: TcpStream,
    ticket: Ticket,
    policy: watch::Receiver<Policy>,
) {
    let tap = Mutex::new(Tap::new(&ticket.shared, ticket.number));
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = Pump::new(Way::ToServer, &ticket, &tap, policy.clone());
        let down = Pump::new(Way::ToClient, &ticket, &tap, policy);
        tokio::try_join!(up.run(from_client, to_server), down.run(from_server, to_client)).err()
    };
    finish(&[&client, &server], end.unwrap_or(End::Close));
}

/// Waits until a command (or the end of the proxy) ends this connection.
async fn ended(ticket: &Ticket, policy: &mut watch::Receiver<Policy>) -> End {
    loop {
        let now = *policy.borrow_and_update();
        if let Some(end) = now.ends(ticket.number) {
            return end;
        }
        if policy.changed().await.is_err() {
            return End::Close;
        }
    }
}

/// Nobody listens: told to the client at once, unless word from there would not get through.
async fn refused(ticket: &Ticket, policy: &mut watch::Receiver<Policy>) -> End {
    loop {
        let now = *policy.borrow_and_update();
        if let Some(end) = now.ends(ticket.number) {
            return end;
        }
        if !matches!(now.flow(Way::ToClient), Flow::Swallow | Flow::Stall) {
            return End::Reset;
        }
        if policy.changed().await.is_err() {
            return End::Close;
        }
    }
}

fn finish(streams: &[&TcpStream], end: End) {
    if end == End::Reset {
        for stream in streams {
            arm_reset(stream);
        }
    }
}
