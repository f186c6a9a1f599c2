// Package uritemplate matches URIs against URI Templates of RFC 6570, levels 1
// to 3, which is the reverse of expansion. It refuses the explode (*) and prefix
// (:n) modifiers of level 4, because their expansions cannot be told apart.
//
// A URI matches if it is an expansion of the template with string values. There
// is one difference from the RFC: an expression without a leading character ({a}
// and {+a}) expands to at least one character, so that "x/{id}" does not match
// "x/". An expression with one ({#a}, {.a}, {/a}, {;a}, {?a}, {&a}) may be
// missing altogether. The parameters of {;a}, {?a,b} and {&a,b} match in any
// order, each at most once; a URI with other parameters does not match.
//
// If a URI can be read in several ways, each expression takes as many characters
// as it can, from left to right.
//
// Matching any URI takes time and memory in proportion to the product of its
// length and the template's number of parts.
package uritemplate
