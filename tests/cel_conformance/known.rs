//! The cases that do not pass, and why.

const BLOCK: &str = "cel.block, cel.index and cel.iterVar are what an optimiser writes, not people";

const KUBERNETES: &str = "Kubernetes answers otherwise, and so do we: tests/oracle";

/// Name and reason, sorted.
pub const FAILURES: &[(&str, &str)] = &[
    ("block_ext/basic/int_add", BLOCK),
    ("block_ext/basic/size_1", BLOCK),
    ("block_ext/basic/size_2", BLOCK),
    ("block_ext/basic/size_3", BLOCK),
    ("block_ext/basic/size_4", BLOCK),
    ("block_ext/basic/timestamp", BLOCK),
    ("block_ext/basic/map_index", BLOCK),
    ("block_ext/basic/nested_map_construction", BLOCK),
    ("block_ext/basic/nested_list_construction", BLOCK),
    ("block_ext/basic/multiple_macros_1", BLOCK),
    ("block_ext/basic/multiple_macros_2", BLOCK),
    ("block_ext/basic/multiple_macros_3", BLOCK),
    ("block_ext/basic/nested_macros_1", BLOCK),
    ("block_ext/basic/nested_macros_2", BLOCK),
    ("block_ext/basic/adjacent_macros", BLOCK),
    ("block_ext/basic/macro_shadowed_variable_1", BLOCK),
    ("block_ext/basic/macro_shadowed_variable_2", BLOCK),
    ("block_ext/basic/inclusion_list", BLOCK),
    ("block_ext/basic/inclusion_map", BLOCK),
    ("block_ext/basic/presence_test", BLOCK),
    ("block_ext/basic/presence_test_2", BLOCK),
    ("block_ext/basic/optional_list", BLOCK),
    ("block_ext/basic/optional_map", BLOCK),
    ("block_ext/basic/optional_map_chained", BLOCK),
    ("block_ext/basic/call", BLOCK),
    (
        "timestamps/timestamp_conversions/toString_timestamp_nanos",
        "a jiff::Timestamp ends a day before the year 10000, so that every time zone can show it",
    ),
    ("network_ext/ipv4/ipv4_equals_ipv6", KUBERNETES),
    ("network_ext/ipv4/ipv4_not_equals_ipv6", KUBERNETES),
    ("string_ext/value_errors/indexof_out_of_range", KUBERNETES),
    (
        "string_ext/value_errors/lastindexof_out_of_range",
        KUBERNETES,
    ),
];

/// Cases that have an answer and that the checker refuses all the same.
pub const REFUSED: &[(&str, &str)] = &[
    ("logic/AND/short_circuit_type_left", NO_BOOL),
    ("logic/AND/short_circuit_type_right", NO_BOOL),
    ("logic/OR/short_circuit_type_left", NO_BOOL),
    ("logic/OR/short_circuit_type_right", NO_BOOL),
    (
        "optionals/optionals/map_absent_key_absent_field_none",
        "dyn() of a constant has the type of the constant",
    ),
];

/// The suite runs these with the checker off.
const NO_BOOL: &str = "one side is no bool, which a checker is there to refuse";
