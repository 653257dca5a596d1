//! Accounts and their pool, in one thread and in several.

use std::{sync::Arc, thread};

use proptest::prelude::*;

use super::{Account, Charge, FLOOR, Pool};

const KIB: usize = 1024;

fn accounts(count: usize, pool: &Arc<Pool>) -> Vec<Arc<Account>> {
    (0..count).map(|_| Account::new(usize::MAX, Some(Arc::clone(pool)))).collect()
}

/// Charges a kibibyte at a time until no more is given.
fn hoard(account: &Arc<Account>) -> Charge {
    let mut charge = account.charge(0).unwrap();
    while charge.grow(KIB) {}
    charge
}

#[test]
fn what_is_held_up_to_the_floor_asks_nobody() {
    let pool = Pool::new(0);
    let account = Account::new(1 << 20, Some(Arc::clone(&pool)));
    let charge = account.charge(FLOOR).unwrap();
    assert_eq!((account.room(), account.held(), pool.used()), (0, FLOOR, 0));
    assert!(account.charge(1).is_none());
    // Whatever is charged, as much again may be received.
    assert_eq!(account.reading_room(), FLOOR);
    account.set_received(FLOOR);
    assert_eq!((account.reading_room(), pool.used()), (0, FLOOR));
    drop(charge);
    assert_eq!((account.held(), pool.used()), (FLOOR, 0));
}

#[test]
fn charges_keep_to_the_limit_of_their_account() {
    let account = Account::new(100, None);
    let mut charge = account.charge(60).unwrap();
    assert!(account.is_tight());
    assert!(account.charge(41).is_none());
    assert!(!charge.grow(41));
    assert_eq!((charge.bytes(), account.charged(), account.room()), (60, 60, 40));
    let other = account.charge(40).unwrap();
    assert_eq!((account.charged(), account.room()), (100, 0));
    drop(charge);
    assert!(!account.is_tight());
    assert_eq!(account.charged(), 40);
    drop(other);
    assert_eq!(account.held(), 0);
    // What was received is no charge.
    account.set_received(1000);
    assert_eq!((account.held(), account.room(), account.reading_room()), (1000, 100, usize::MAX));
    account.set_limit(7);
    assert_eq!((account.room(), account.charge(8).is_none()), (7, true));
}

#[test]
fn hoarders_share_alike_and_leave_room_for_others() {
    let limit = 8 * KIB * KIB;
    for count in [1, 4, 28] {
        let pool = Pool::new(limit);
        let accounts = accounts(count, &pool);
        let mut charges: Vec<Charge> = accounts.iter().map(|account| account.charge(0).unwrap()).collect();
        while charges.iter_mut().map(|charge| charge.grow(KIB)).filter(|grown| *grown).count() > 0 {}
        let share = limit / (count + 4);
        for charge in &charges {
            let above = charge.bytes() - FLOOR;
            assert!((share - 2 * KIB..=share + KIB).contains(&above), "{count}: {above} of {share}");
        }
        assert!(accounts.iter().all(|account| account.is_tight()));
        let newcomer = Account::new(usize::MAX, Some(Arc::clone(&pool)));
        assert!(!newcomer.is_tight());
        let found = hoard(&newcomer).bytes() - FLOOR;
        assert!(found >= share / 2, "{count}: {found} of {share}");
        drop(charges);
        assert_eq!(pool.used(), 0);
    }
}

#[test]
fn an_account_gives_back_what_it_holds_when_it_ends() {
    let pool = Pool::new(1 << 20);
    let account = Account::new(0, Some(Arc::clone(&pool)));
    account.set_received(FLOOR + 1000);
    assert_eq!(pool.used(), 1000);
    drop(account);
    assert_eq!(pool.used(), 0);
}

/// What a thread does with one of the accounts.
#[derive(Clone, Debug)]
enum Step {
    Charge(usize),
    Grow(usize),
    Drop,
    Receive(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || 0..200 * KIB;
    prop_oneof![
        bytes().prop_map(Step::Charge),
        bytes().prop_map(Step::Grow),
        Just(Step::Drop),
        bytes().prop_map(Step::Receive),
    ]
}

/// Charges to all accounts; only the `own` one's gauge is set, as a driver does.
fn run(accounts: &[Arc<Account>], own: usize, pool: &Pool, steps: &[(usize, Step)]) {
    let mut charges: Vec<Charge> = Vec::new();
    let most = pool.limit() + accounts.len() * FLOOR;
    for (which, step) in steps {
        let account = &accounts[which % accounts.len()];
        match step {
            Step::Charge(bytes) => charges.extend(account.charge(*bytes)),
            Step::Grow(bytes) => drop(charges.last_mut().map(|charge| charge.grow(*bytes))),
            Step::Drop => drop(charges.pop()),
            Step::Receive(bytes) => accounts[own].set_received((*bytes).min(FLOOR)),
        }
        assert!(account.charged() <= account.limit());
        assert!(pool.used() <= most, "{} of {most}", pool.used());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_threads_do_all_is_given_back(
        steps in prop::collection::vec(prop::collection::vec((0_usize..3, step()), 0..60), 1..4),
        limit in 0..1000 * KIB,
    ) {
        let pool = Pool::new(limit);
        let accounts: Vec<_> = (0..3).map(|_| Account::new(500 * KIB, Some(Arc::clone(&pool)))).collect();
        thread::scope(|scope| {
            for (own, steps) in steps.iter().enumerate() {
                let (accounts, pool) = (&accounts, &pool);
                scope.spawn(move || run(accounts, own, pool, steps));
            }
        });
        for account in &accounts {
            prop_assert_eq!(account.charged(), 0);
            account.set_received(0);
            prop_assert_eq!(account.held(), 0);
        }
        prop_assert_eq!(pool.used(), 0);
    }
}
