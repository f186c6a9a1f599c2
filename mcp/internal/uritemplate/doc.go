// Package uritemplate matches URIs against URI Templates of RFC 6570, levels 1 to
// 3: the reverse of expansion. Of level 4 it refuses explode (*) and prefix (:n)
// modifiers, whose expansions cannot be told apart.
//
// A URI matches when it is an expansion of the template with string values. Two
// things are stricter than the RFC, so that "x/{id}" does not match "x/": an
// expression without a leading character ({a} and {+a}) expands to at least one
// character. An expression with one ({#a}, {.a}, {/a}, {;a}, {?a}, {&a}) may be
// missing altogether. Parameters of {;a}, {?a,b} and {&a,b} match in any order,
// each at most once; others do not match.
//
// Where a URI can be read in several ways, each expression takes as many
// characters as it can, from left to right.
//
// Matching takes time and memory in proportion to the URI's length times the
// template's number of parts, whatever the URI.
package uritemplate
