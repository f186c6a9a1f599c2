// Package uritemplate matches URIs against URI Templates of RFC 6570, levels 1
// to 4, which is the reverse of expansion.
//
// A URI matches if it is an expansion of the template. There is one difference
// from the RFC: an expression without a leading character ({a} and {+a}) expands
// to at least one character, so that "x/{id}" does not match "x/". An expression
// with one ({#a}, {.a}, {/a}, {;a}, {?a}, {&a}) may be missing altogether. The
// parameters of {;a}, {?a,b} and {&a,b} match in any order, each at most once; a
// URI with other parameters does not match.
//
// A variable with a prefix modifier ({a:3}) matches at most that many characters.
// A variable with the explode modifier matches any number of values with the
// separator of its expression between them: {/a*} matches "/x/y", and {?a*}
// matches any parameters, because the names are those of an associative array.
// Its value is the text between the first and the last of them: "x/y" for
// {/a*}, and "k=v&l=w" for {?a*}.
//
// If a URI can be read in several ways, each value takes as many characters as it
// can, from left to right. In an expression of several variables the separator
// ends a value, except the last one of {+a,b} and {#a,b}.
//
// Matching any URI takes time and memory in proportion to the product of its
// length and the template's number of literals and variables.
package uritemplate
