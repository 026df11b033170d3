//! File descriptors that are sent over a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// Passes a descriptor on, with one byte: descriptors travel with bytes.
pub(super) fn pass(over: &UnixStream, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [descriptor];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut passed = SendAncillaryBuffer::new(&mut space);
    if !passed.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for a descriptor"));
    }
    // If the receiver was killed, sending must fail, and not end nbc by SIGPIPE.
    rustix::net::sendmsg(over, &[IoSlice::new(&[0])], &mut passed, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives the descriptor that [`pass`] sent.
pub(super) fn take(over: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut passed = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    rustix::net::recvmsg(over, &mut [IoSliceMut::new(&mut byte)], &mut passed, flags)?;
    let mut descriptors = passed.drain().filter_map(|it| match it {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptor: Option<OwnedFd> = descriptors.next().and_then(|mut it| it.next());
    descriptor.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
