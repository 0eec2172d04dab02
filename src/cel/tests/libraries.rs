//! The libraries of Kubernetes, by the examples of its documentation.
//! <https://kubernetes.io/docs/reference/using-api/cel/>

use super::{about, eval, json};

#[test]
fn quantities_are_exact_and_ordered() {
    for source in [
        "quantity('1.5Gi') == quantity('1536Mi') && quantity('500m').isLessThan(quantity('1'))",
        "quantity('50k').compareTo(quantity('50000')) == 0",
        "quantity('200M').compareTo(quantity('1Gi')) == -1 && quantity('2E').sign() == 1",
        "quantity('50k').add(20) == quantity('50020') && quantity('50k').sub(quantity('1k')) == quantity('49k')",
        "quantity('50').asInteger() == 50 && !quantity('50.5').isInteger()",
        "quantity('9999999999999999999n').isGreaterThan(quantity('1'))",
        "isQuantity('1.3Gi') && !isQuantity('1.3GiB') && !isQuantity('') && !isQuantity('1..2')",
        "quantity('1e3') == quantity('1k') && quantity('-0.1').asApproximateFloat() == -0.1",
        "quantity('9') < quantity('10')",
    ] {
        assert_eq!(eval(source), "true", "{source}");
    }
    let empty = json("{}");
    assert_eq!(
        about(&empty, "quantity(object.spec.size) < quantity('1')"),
        "true"
    );
}

#[test]
fn versions_follow_semantic_versioning() {
    for source in [
        "semver('1.2.3').compareTo(semver('1.10.0')) == -1",
        "semver('1.0.0-alpha.1').isLessThan(semver('1.0.0-alpha.beta')) && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))",
        "semver('1.2.3+a') == semver('1.2.3+b') && semver('v01.2', true) == semver('1.2.0')",
        "!isSemver('v1.2.3') && !isSemver('1.2') && !isSemver('01.2.3') && isSemver('v1.2', true)",
        "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
    ] {
        assert_eq!(eval(source), "true", "{source}");
    }
}

#[test]
fn urls_come_apart() {
    for source in [
        "url('https://example.com:80/path%20x?k=a&k=b&l=c+d#f').getHost() == 'example.com:80'",
        "url('https://user@[::1]:80/').getHostname() == '::1' && url('https://[::1]:80/').getPort() == '80'",
        "url('/a b').getEscapedPath() == '/a%20b' && url('/a').getScheme() == ''",
        "url('https://x/?k=a&k=b&l=c+d').getQuery() == {'k': ['a', 'b'], 'l': ['c d']}",
        "isURL('https://a.b/c') && !isURL('../a') && !isURL('a') && !isURL('http://a b/') && !isURL('/%zz')",
    ] {
        assert_eq!(eval(source), "true", "{source}");
    }
}

#[test]
fn lists_and_patterns_are_those_of_kubernetes() {
    for source in [
        "[1, 2, 2].isSorted() && !['b', 'a'].isSorted() && [].isSorted()",
        "[1, 3].sum() == 4 && [1.5, 2.5].sum() == 4.0 && [].sum() == 0",
        "[duration('1m'), duration('2m')].sum() == duration('3m')",
        "[3, 1].min() == 1 && ['a', 'b'].max() == 'b'",
        "[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1].indexOf(5) == -1",
        "'abc 123'.find('[0-9]+') == '123' && 'none'.find('[0-9]+') == ''",
        "'123 abc 456'.findAll('[0-9]+') == ['123', '456'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']",
        "ip('10.0.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.2.3')",
        "!isIP('::ffff:1.2.3.4') && !isCIDR('10.0.0.0/33') && !isIP('fe80::1%eth0')",
    ] {
        assert_eq!(eval(source), "true", "{source}");
    }
}

#[test]
fn a_named_format_says_what_is_wrong_with_a_text() {
    for source in [
        "format.named('dns1123Label').value() == format.dns1123Label() && !format.named('x').hasValue()",
        "!format.dns1123Label().validate('my-name').hasValue() && format.dns1123Label().validate('My').hasValue()",
        "format.dns1123Label().validate('a.b').value() == ['must not contain dots']",
        "!format.dns1123Subdomain().validate('a.b').hasValue() && !format.dns1035Label().validate('a1').hasValue()",
        "!format.qualifiedName().validate('a.b/C').hasValue() && format.qualifiedName().validate('/').value().size() == 3",
        "!format.dns1123LabelPrefix().validate('ab-').hasValue() && !format.labelValue().validate('').hasValue()",
        "!format.uri().validate('https://a/b').hasValue() && format.uri().validate('a').hasValue()",
        "!format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue()",
        "!format.byte().validate('aGk=').hasValue() && format.byte().validate('aGk').hasValue()",
        "!format.date().validate('2024-02-29').hasValue() && format.date().validate('2023-02-29').hasValue()",
        "!format.datetime().validate('2024-02-29T23:59:59Z').hasValue()",
        "format.datetime().validate('2024-02-29T24:00:00Z').value() == ['invalid datetime']",
    ] {
        assert_eq!(eval(source), "true", "{source}");
    }
}
