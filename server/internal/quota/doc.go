// Package quota counts what each of very many clients has and does, and says when that is more than
// its share. A client is a key, such as that of a principal or of an address. The package reads no
// clock and knows nothing of what it counts.
//
// # Vocabulary
//
// A client holds things of some [Kind], such as streams, up to a limit, and spends from [Budget]s,
// which fill up again over time: token buckets. It has an entry in the [Table] as long as it holds
// something or a budget of its is not full. An entry that holds nothing, and waits for its budgets
// alone, is idle; a sweep removes it once they are full.
//
// # Ownership
//
// Methods of Table may be called from any goroutine. They wait only for the lock of a shard, under
// which they call nothing.
package quota
