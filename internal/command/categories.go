package command

import "slices"

// categories are the ACL categories that a policy can name: the server's own, and those
// that Valkey's modules add. The position is the bit in Info.categoryBits.
var categories = []string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
	"hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous",
	"connection", "transaction", "scripting",
	"json", "search", "bloom",
}

// categoryBit returns the category's bit, or 0 for one that no policy can name.
func categoryBit(name string) uint64 {
	if i := slices.Index(categories, name); i >= 0 {
		return 1 << i
	}
	return 0
}

// nameBit spreads first words of names over 64 bits (FNV-1a), so that a policy can pass over
// most commands without looking their names up.
func nameBit(word string) uint64 {
	h := uint32(2166136261)
	for i := range len(word) {
		h = (h ^ uint32(word[i])) * 16777619
	}
	return 1 << ((h ^ h>>16) & 63)
}
