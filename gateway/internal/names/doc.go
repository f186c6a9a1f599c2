// Package names decides under which names the features of upstream servers are offered, and where
// a request for a name or a URI goes.
//
// On a path of its own an upstream's names are as it has them. On the path of all upstreams each
// name has the upstream's in front, as in files__read: always, also if there is one upstream, so
// that no name changes when another upstream joins or leaves. What is authorized by name depends
// on that. An advertised name is found in a table and never taken apart.
//
// URIs have no prefix, because they are in results too, where nobody can change them. If several
// upstreams have one, the first in the order of the configuration serves it.
package names
