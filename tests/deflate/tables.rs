//! Offers and answers of permessage-deflate (RFC 7692 §7.1), and what they come to. Knows headers only.

use converse::{MemoryMode, PerMessageDeflate};

pub(crate) type Config = fn() -> PerMessageDeflate;

/// Every message is compressed: the smallest ones as well.
pub(crate) fn base() -> PerMessageDeflate {
    PerMessageDeflate::new().threshold(0).memory(MemoryMode::Dedicated)
}
pub(crate) fn compact() -> PerMessageDeflate {
    base().memory(MemoryMode::Compact { history: 1024 })
}
pub(crate) fn compact_small() -> PerMessageDeflate {
    base().memory(MemoryMode::Compact { history: 256 })
}
pub(crate) fn no_takeover() -> PerMessageDeflate {
    base().memory(MemoryMode::NoTakeover)
}
pub(crate) fn server_forgets() -> PerMessageDeflate {
    base().server_no_context_takeover()
}
pub(crate) fn client_forgets() -> PerMessageDeflate {
    base().client_no_context_takeover()
}
pub(crate) fn server_11() -> PerMessageDeflate {
    base().server_max_window_bits(11)
}
pub(crate) fn client_11() -> PerMessageDeflate {
    base().client_max_window_bits(11)
}
pub(crate) fn both_9() -> PerMessageDeflate {
    base().server_max_window_bits(9).client_max_window_bits(9)
}

/// Offers as header lines, and what follows the name in the answer; `None` when the extension is not agreed on.
pub(crate) type OfferRow = (Config, &'static [&'static str], Option<&'static str>);

pub(crate) const TAKEN_OFFERS: &[OfferRow] = &[
    (base, &["permessage-deflate"], Some("")),
    (base, &["permessage-deflate; server_no_context_takeover"], Some("; server_no_context_takeover")),
    (base, &["permessage-deflate; client_no_context_takeover"], Some("; client_no_context_takeover")),
    (
        base,
        &["permessage-deflate; client_no_context_takeover; server_no_context_takeover"],
        Some("; server_no_context_takeover; client_no_context_takeover"),
    ),
    (base, &["permessage-deflate; server_max_window_bits=9"], Some("; server_max_window_bits=9")),
    (base, &["permessage-deflate; server_max_window_bits=10"], Some("; server_max_window_bits=10")),
    (base, &["permessage-deflate; server_max_window_bits=11"], Some("; server_max_window_bits=11")),
    (base, &["permessage-deflate; server_max_window_bits=12"], Some("; server_max_window_bits=12")),
    (base, &["permessage-deflate; server_max_window_bits=13"], Some("; server_max_window_bits=13")),
    (base, &["permessage-deflate; server_max_window_bits=14"], Some("; server_max_window_bits=14")),
    (base, &["permessage-deflate; server_max_window_bits=15"], Some("; server_max_window_bits=15")),
    (base, &["permessage-deflate; server_max_window_bits=\"10\""], Some("; server_max_window_bits=10")),
    (base, &["permessage-deflate; server_max_window_bits=\"1\\0\""], Some("; server_max_window_bits=10")),
    (base, &["permessage-deflate; client_max_window_bits"], Some("")),
    (base, &["permessage-deflate; client_max_window_bits=8"], Some("; client_max_window_bits=8")),
    (base, &["permessage-deflate; client_max_window_bits=9"], Some("; client_max_window_bits=9")),
    (base, &["permessage-deflate; client_max_window_bits=12"], Some("; client_max_window_bits=12")),
    (base, &["permessage-deflate; client_max_window_bits=15"], Some("")),
    (base, &["permessage-deflate; client_max_window_bits=\"12\""], Some("; client_max_window_bits=12")),
    (
        base,
        &[
            "permessage-deflate; client_max_window_bits=11; server_max_window_bits=10; server_no_context_takeover",
        ],
        Some("; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11"),
    ),
    (
        base,
        &["permessage-deflate ;\tserver_max_window_bits = 12 ; client_max_window_bits"],
        Some("; server_max_window_bits=12"),
    ),
    (base, &["x-webkit-deflate-frame, permessage-deflate; client_max_window_bits"], Some("")),
    (
        base,
        &["x-webkit-deflate-frame", "permessage-bzip2; permessage-deflate", "permessage-deflate"],
        Some(""),
    ),
    (base, &["", " , ,permessage-deflate,,"], Some("")),
    // The first good one, though a later one is good as well.
    (
        base,
        &["permessage-deflate; server_max_window_bits=11, permessage-deflate"],
        Some("; server_max_window_bits=11"),
    ),
    (base, &["permessage-deflate", "permessage-deflate; server_no_context_takeover"], Some("")),
    // Fallback.
    (base, &["permessage-deflate; server_max_window_bits=8, permessage-deflate"], Some("")),
    (
        base,
        &[
            "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_no_context_takeover",
        ],
        Some("; server_no_context_takeover"),
    ),
    (
        base,
        &["permessage-deflate; server_max_window_bits", "permessage-deflate; server_max_window_bits=9"],
        Some("; server_max_window_bits=9"),
    ),
    (base, &["a,b,c,d,e,f,g,h,i,j,k,l,m,n,permessage-deflate;x", "permessage-deflate"], Some("")),
    // What this end wants.
    (server_forgets, &["permessage-deflate"], Some("; server_no_context_takeover")),
    (
        server_forgets,
        &["permessage-deflate; server_no_context_takeover"],
        Some("; server_no_context_takeover"),
    ),
    (client_forgets, &["permessage-deflate"], Some("; client_no_context_takeover")),
    (
        client_forgets,
        &["permessage-deflate; client_max_window_bits=9"],
        Some("; client_no_context_takeover; client_max_window_bits=9"),
    ),
    (server_11, &["permessage-deflate"], Some("; server_max_window_bits=11")),
    (server_11, &["permessage-deflate; server_max_window_bits=9"], Some("; server_max_window_bits=9")),
    (server_11, &["permessage-deflate; server_max_window_bits=15"], Some("; server_max_window_bits=11")),
    (client_11, &["permessage-deflate"], Some("; client_no_context_takeover")),
    (client_11, &["permessage-deflate; client_max_window_bits"], Some("; client_max_window_bits=11")),
    (client_11, &["permessage-deflate; client_max_window_bits=15"], Some("; client_max_window_bits=11")),
    (client_11, &["permessage-deflate; client_max_window_bits=9"], Some("; client_max_window_bits=9")),
    (client_11, &["permessage-deflate; client_max_window_bits=8"], Some("; client_max_window_bits=8")),
    (
        both_9,
        &["permessage-deflate; client_max_window_bits; server_max_window_bits=12"],
        Some("; server_max_window_bits=9; client_max_window_bits=9"),
    ),
    (compact, &["permessage-deflate"], Some("; client_no_context_takeover")),
    (compact, &["permessage-deflate; client_max_window_bits"], Some("; client_max_window_bits=10")),
    (compact, &["permessage-deflate; client_max_window_bits=9"], Some("; client_max_window_bits=9")),
    (compact, &["permessage-deflate; client_max_window_bits=15"], Some("; client_max_window_bits=10")),
    (
        compact,
        &["permessage-deflate; client_max_window_bits; server_max_window_bits=9; server_no_context_takeover"],
        Some("; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10"),
    ),
    (compact_small, &["permessage-deflate; client_max_window_bits"], Some("; client_max_window_bits=9")),
    (compact_small, &["permessage-deflate; client_max_window_bits=8"], Some("; client_max_window_bits=8")),
    (no_takeover, &["permessage-deflate"], Some("; server_no_context_takeover; client_no_context_takeover")),
    (
        no_takeover,
        &["permessage-deflate; client_max_window_bits; server_max_window_bits=10"],
        Some("; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10"),
    ),
];

/// Well-formed offers that the server declines, whatever it wants.
pub(crate) const DECLINED_OFFERS: &[&[&str]] = &[
    &[],
    &[""],
    &[" , "],
    &["x-webkit-deflate-frame"],
    &["permessage-deflate2"],
    &["Permessage-Deflate"],
    &["permessage-bzip2; client_max_window_bits", "mux; max-channels=4"],
    &["permessage-deflate; unknown"],
    &["permessage-deflate; unknown=1"],
    &["permessage-deflate; server_no_context_takeover; unknown"],
    &["permessage-deflate; Server_No_Context_Takeover"],
    &["permessage-deflate; server_no_context_takeover=1"],
    &["permessage-deflate; server_no_context_takeover=true"],
    &["permessage-deflate; client_no_context_takeover=x"],
    &["permessage-deflate; server_max_window_bits"],
    &["permessage-deflate; server_max_window_bits=0"],
    &["permessage-deflate; server_max_window_bits=7"],
    &["permessage-deflate; server_max_window_bits=8"],
    &["permessage-deflate; server_max_window_bits=16"],
    &["permessage-deflate; server_max_window_bits=100"],
    &["permessage-deflate; server_max_window_bits=265"],
    &["permessage-deflate; server_max_window_bits=09"],
    &["permessage-deflate; server_max_window_bits=010"],
    &["permessage-deflate; server_max_window_bits=\"010\""],
    &["permessage-deflate; server_max_window_bits=+9"],
    &["permessage-deflate; server_max_window_bits=-9"],
    &["permessage-deflate; server_max_window_bits=9."],
    &["permessage-deflate; server_max_window_bits=0x9"],
    &["permessage-deflate; server_max_window_bits=18446744073709551625"],
    &["permessage-deflate; client_max_window_bits=0"],
    &["permessage-deflate; client_max_window_bits=7"],
    &["permessage-deflate; client_max_window_bits=16"],
    &["permessage-deflate; client_max_window_bits=08"],
    &["permessage-deflate; client_max_window_bits=+15"],
    &["permessage-deflate; client_max_window_bits=x"],
    &["permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
    &["permessage-deflate; client_no_context_takeover; client_no_context_takeover"],
    &["permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"],
    &["permessage-deflate; client_max_window_bits; client_max_window_bits"],
    &["permessage-deflate; client_max_window_bits=10; client_max_window_bits"],
    &["permessage-deflate; a, permessage-deflate; server_max_window_bits=8", "permessage-deflate; b"],
];

/// What a client offers first, and then to those that keep nothing; behind the name.
pub(crate) const OFFERS: &[(Config, &str, Option<&str>)] = &[
    (
        PerMessageDeflate::new,
        "; server_max_window_bits=11; client_max_window_bits",
        Some("; client_max_window_bits"),
    ),
    (base, "; client_max_window_bits", Some("; client_max_window_bits")),
    (server_forgets, "; server_no_context_takeover; client_max_window_bits", None),
    (
        client_forgets,
        "; client_no_context_takeover; client_max_window_bits",
        Some("; client_max_window_bits"),
    ),
    (server_11, "; server_max_window_bits=11; client_max_window_bits", Some("; client_max_window_bits")),
    (client_11, "; client_max_window_bits=11", Some("; client_max_window_bits=11")),
    (both_9, "; server_max_window_bits=9; client_max_window_bits=9", Some("; client_max_window_bits=9")),
    (compact, "; server_max_window_bits=10; client_max_window_bits", Some("; client_max_window_bits")),
    (compact_small, "; server_max_window_bits=9; client_max_window_bits", Some("; client_max_window_bits")),
    (no_takeover, "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits", None),
];

/// Answers as header lines; what they agree on follows from them.
pub(crate) type AnswerRow = (Config, &'static [&'static str]);

pub(crate) const TAKEN_ANSWERS: &[AnswerRow] = &[
    (base, &["permessage-deflate"]),
    (base, &["permessage-deflate; server_no_context_takeover"]),
    (base, &["permessage-deflate; client_no_context_takeover"]),
    (base, &["permessage-deflate; client_no_context_takeover; server_no_context_takeover"]),
    (base, &["permessage-deflate; server_max_window_bits=8"]),
    (base, &["permessage-deflate; server_max_window_bits=9"]),
    (base, &["permessage-deflate; server_max_window_bits=12"]),
    (base, &["permessage-deflate; server_max_window_bits=15"]),
    (base, &["permessage-deflate; server_max_window_bits=\"11\""]),
    (base, &["permessage-deflate; client_max_window_bits=8"]),
    (base, &["permessage-deflate; client_max_window_bits=9"]),
    (base, &["permessage-deflate; client_max_window_bits=10"]),
    (base, &["permessage-deflate; client_max_window_bits=11"]),
    (base, &["permessage-deflate; client_max_window_bits=13"]),
    (base, &["permessage-deflate; client_max_window_bits=14"]),
    (base, &["permessage-deflate; client_max_window_bits=15"]),
    (base, &["permessage-deflate; client_max_window_bits=\"9\""]),
    (
        base,
        &[
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10; server_no_context_takeover; client_no_context_takeover",
        ],
    ),
    (base, &["", ",permessage-deflate;server_max_window_bits = 12 ,"]),
    (server_forgets, &["permessage-deflate; server_no_context_takeover"]),
    (client_forgets, &["permessage-deflate"]),
    (client_forgets, &["permessage-deflate; client_no_context_takeover"]),
    (server_11, &["permessage-deflate; server_max_window_bits=11"]),
    (server_11, &["permessage-deflate; server_max_window_bits=9"]),
    (server_11, &["permessage-deflate; server_no_context_takeover"]),
    (server_11, &["permessage-deflate; server_no_context_takeover; server_max_window_bits=12"]),
    (client_11, &["permessage-deflate"]),
    (client_11, &["permessage-deflate; client_max_window_bits=11"]),
    (client_11, &["permessage-deflate; client_max_window_bits=10"]),
    (both_9, &["permessage-deflate; server_max_window_bits=9; client_max_window_bits=9"]),
    (compact, &["permessage-deflate; server_max_window_bits=10"]),
    (compact, &["permessage-deflate; server_max_window_bits=9; client_max_window_bits=9"]),
    (compact, &["permessage-deflate; server_no_context_takeover"]),
    (compact, &["permessage-deflate; server_no_context_takeover; client_no_context_takeover"]),
    (no_takeover, &["permessage-deflate; server_no_context_takeover"]),
    (no_takeover, &["permessage-deflate; server_no_context_takeover; client_no_context_takeover"]),
];

pub(crate) const REFUSED_ANSWERS: &[AnswerRow] = &[
    (base, &["permessage-deflate; unknown"]),
    (base, &["permessage-deflate; server_no_context_takeover; unknown=1"]),
    (base, &["permessage-deflate; Client_No_Context_Takeover"]),
    (base, &["permessage-deflate; server_no_context_takeover=1"]),
    (base, &["permessage-deflate; client_no_context_takeover=true"]),
    (base, &["permessage-deflate; server_no_context_takeover; server_no_context_takeover"]),
    (base, &["permessage-deflate; client_no_context_takeover; client_no_context_takeover"]),
    (base, &["permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"]),
    (base, &["permessage-deflate; client_max_window_bits=10; client_max_window_bits=11"]),
    (base, &["permessage-deflate; server_max_window_bits"]),
    (base, &["permessage-deflate; server_max_window_bits=0"]),
    (base, &["permessage-deflate; server_max_window_bits=7"]),
    (base, &["permessage-deflate; server_max_window_bits=16"]),
    (base, &["permessage-deflate; server_max_window_bits=09"]),
    (base, &["permessage-deflate; server_max_window_bits=+9"]),
    (base, &["permessage-deflate; server_max_window_bits=\"010\""]),
    (base, &["permessage-deflate; client_max_window_bits"]),
    (base, &["permessage-deflate; client_max_window_bits=7"]),
    (base, &["permessage-deflate; client_max_window_bits=16"]),
    (base, &["permessage-deflate; client_max_window_bits=09"]),
    (base, &["permessage-deflate; client_max_window_bits=x"]),
    (base, &["permessage-deflate, permessage-deflate"]),
    (base, &["permessage-deflate", "permessage-deflate; server_no_context_takeover"]),
    (base, &["permessage-deflate, x-webkit-deflate-frame"]),
    (base, &["permessage-deflate2"]),
    (base, &["Permessage-Deflate"]),
    (server_forgets, &["permessage-deflate"]),
    (server_forgets, &["permessage-deflate; client_no_context_takeover"]),
    (server_11, &["permessage-deflate"]),
    (server_11, &["permessage-deflate; server_max_window_bits=12"]),
    (client_11, &["permessage-deflate; client_max_window_bits=12"]),
    (compact, &["permessage-deflate"]),
    (compact, &["permessage-deflate; server_max_window_bits=11"]),
    (compact, &["permessage-deflate; client_max_window_bits=10"]),
    (no_takeover, &["permessage-deflate"]),
    (no_takeover, &["permessage-deflate; client_no_context_takeover"]),
];
