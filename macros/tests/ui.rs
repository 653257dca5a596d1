//! What `#[service]` says of a trait that is no service, word by word and place by place.

#[test]
fn faults_point_at_the_code_that_has_them() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
