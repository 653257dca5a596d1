//! The bytes of one read: in a place that is used again for every read, or in a block, for messages that are worth it.
//! Knows no connection.

use std::mem;

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    engine::blocks::{Block, Blocks},
    frame::{HeaderRules, MAX_HEADER, WholeFrame},
};

/// A read takes at most this many bytes, unless it goes to a block.
pub(crate) const SCRATCH: usize = 64 * 1024;

/// What was read, and where in it what is left begins.
#[derive(Debug)]
pub(crate) struct Input {
    scratch: Vec<u8>,
    at: usize,
    end: usize,
    /// In place of the scratch.
    block: Option<Block>,
    blocks: Blocks,
}

impl Input {
    /// Builds an empty one.
    pub(super) fn new() -> Self {
        Self { scratch: vec![0; SCRATCH], at: 0, end: 0, block: None, blocks: Blocks::default() }
    }

    /// Empties it.
    #[inline]
    pub(crate) fn clear(&mut self) {
        (self.at, self.end) = (0, 0);
        if let Some(block) = self.block.take() {
            self.blocks.keep(block);
        }
    }

    /// Lends the place for a read of at most `limit` bytes.
    #[inline]
    pub(crate) fn space(&mut self, limit: usize) -> &mut [u8] {
        self.scratch.get_mut(..limit).unwrap_or_default()
    }

    /// Notes that the first `count` bytes of the [space](Self::space) were read.
    #[inline]
    pub(crate) fn fill(&mut self, count: usize) {
        (self.at, self.end) = (0, count.min(self.scratch.len()));
    }

    /// Lends an empty block of a size to read to, in place of the [space](Self::space).
    pub(crate) fn block(&mut self, size: usize) -> &mut BytesMut {
        let Self { block, blocks, .. } = self;
        &mut block.get_or_insert_with(|| blocks.take(size)).bytes
    }

    /// Takes bytes in place of those of a read.
    pub(crate) fn put(&mut self, bytes: BytesMut) {
        self.block = Some(Block::of(bytes));
    }

    /// Takes what is left out of it; copied, if it is in the scratch.
    pub(crate) fn take_rest(&mut self) -> BytesMut {
        match self.block.take() {
            None => BytesMut::from(&*self.rest()),
            Some(block) => block.bytes,
        }
    }

    /// Returns how many bytes a block has, if there is one.
    pub(super) fn block_len(&self) -> usize {
        self.block.as_ref().map_or(0, |block| block.bytes.len())
    }

    /// Returns what is left.
    #[inline]
    pub(crate) fn rest(&mut self) -> &mut [u8] {
        match &mut self.block {
            None => self.scratch.get_mut(self.at..self.end).unwrap_or_default(),
            Some(block) => &mut block.bytes,
        }
    }

    /// Finds a message of at most `most` bytes at the beginning of what is left.
    #[inline]
    pub(super) fn find(&mut self, rules: HeaderRules, most: u64) -> Option<WholeFrame> {
        WholeFrame::find(self.rest(), rules, most)
    }

    /// Leaves the first `count` bytes behind.
    #[inline]
    pub(crate) fn pass(&mut self, count: usize) {
        match &mut self.block {
            None => self.at += count,
            Some(block) => block.bytes.advance(count),
        }
    }

    /// Tells whether nothing is left.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        match &self.block {
            None => self.at == self.end,
            Some(block) => block.bytes.is_empty(),
        }
    }

    /// Tells whether the payload of a frame is better a slice than a copy.
    #[inline]
    pub(super) fn is_worth_a_slice(&self, frame: &WholeFrame) -> bool {
        self.block.as_ref().is_some_and(|block| block.is_worth_a_slice(frame.len()))
    }

    /// Makes something of the payload of the frame at the beginning, and leaves the frame behind. If that gives nothing, the
    /// frame is there as it was.
    #[inline]
    pub(super) fn copy<R>(&mut self, frame: &WholeFrame, copy: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
        let payload = self.rest().get_mut(frame.start..frame.end)?;
        frame.apply_mask(payload);
        let result = copy(payload);
        match result {
            Some(_) => self.pass(frame.end),
            // The engine is to find it as it came.
            None => frame.apply_mask(payload),
        }
        result
    }

    /// Does the same with code of the application, which may panic: then the frame was left behind.
    #[inline]
    pub(super) fn read<R>(&mut self, frame: &WholeFrame, read: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
        if self.block.is_some() {
            return self.read_in_block(frame, |payload| read(payload));
        }
        let (begins, ends) = (self.at + frame.start, self.at + frame.end);
        let payload = self.scratch.get_mut(begins..ends)?;
        self.at = ends;
        frame.apply_mask(payload);
        let result = read(payload);
        if result.is_none() {
            frame.apply_mask(payload);
            self.at = ends - frame.end;
        }
        result
    }

    /// Does the same in a block.
    fn read_in_block<R>(
        &mut self,
        frame: &WholeFrame,
        read: impl FnOnce(&BytesMut) -> Option<R>,
    ) -> Option<R> {
        let block = &mut self.block.as_mut()?.bytes;
        let mut head = block.split_to(frame.start);
        let mut payload = block.split_to(frame.len());
        frame.apply_mask(&mut payload);
        let result = read(&payload);
        if result.is_none() {
            frame.apply_mask(&mut payload);
            head.unsplit(payload);
            head.unsplit(mem::take(block));
            *block = head;
        }
        result
    }

    /// Lets `take` have the payload of the frame at the beginning as a slice of its block, and leaves the frame behind. If
    /// that gives nothing, the frame is there as it was.
    pub(super) fn slice<R>(
        &mut self,
        frame: &WholeFrame,
        take: impl FnOnce(Bytes) -> Option<R>,
    ) -> Option<R> {
        let block = &mut self.block.as_mut()?.bytes;
        let mut head = [0; MAX_HEADER];
        let head = head.get_mut(..frame.start)?;
        block.copy_to_slice(head);
        let mut payload = block.split_to(frame.len());
        frame.apply_mask(&mut payload);
        let payload = payload.freeze();
        let taken = take(payload.clone());
        if taken.is_none() {
            let mut again = BytesMut::from(&*head);
            again.extend_from_slice(&payload);
            frame.apply_mask(again.get_mut(frame.start..)?);
            again.extend_from_slice(block);
            *block = again;
        }
        taken
    }
}
