//! A file handle sent to another process, which needs no unsafe code to take it.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    cmsg_space,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
};

/// A handle travels with at least one byte.
const CARRIER: [u8; 1] = [0];

/// Sends a copy of the handle.
pub(super) fn send(socket: impl AsFd, handle: &impl AsFd) -> io::Result<()> {
    let handles = [handle.as_fd()];
    let mut room = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    control.push(SendAncillaryMessage::ScmRights(&handles));
    sendmsg(socket, &[IoSlice::new(&CARRIER)], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Waits for the handle.
pub(super) fn receive(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut room = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    recvmsg(socket, &mut [IoSliceMut::new(&mut CARRIER.clone())], &mut control, RecvFlags::empty())?;
    let handles = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(handles) => Some(handles),
        _ => None,
    });
    handles.flatten().next().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
