//! How every subcommand is run: counted once, then timed in turns with the floor.

use crate::{
    Result,
    args::{Args, Peer},
    report::{Board, Line},
    room::Room,
    stage::Stage,
};

/// What is measured: one run of each peer, in a room of its own.
pub(crate) trait Bench {
    /// Whether a run through the counting proxy comes first.
    const COUNTS: bool = true;
    /// The fields that the peers are compared by.
    const RATIOS: &'static [&'static str];

    fn reception(args: &Args, room: &Room<'_>) -> impl Future<Output = Result<Vec<Line>>> + Send;

    fn raw(args: &Args, room: &Room<'_>) -> impl Future<Output = Result<Vec<Line>>> + Send;
}

pub(crate) async fn play<B: Bench>(args: &Args, stage: &Stage) -> Result<()> {
    let mut board = Board::new(args);
    for turn in board.turns(B::COUNTS && !args.is_local()) {
        let room = stage.room(&turn).await?;
        let lines = match turn.peer {
            Peer::Reception => Box::pin(B::reception(args, &room)).await,
            Peer::Raw => Box::pin(B::raw(args, &room)).await,
        };
        board.add(&turn, lines?)?;
        room.leave().await?;
    }
    board.ratios(B::RATIOS)
}
