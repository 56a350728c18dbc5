package subjects

// FNV-1a with 64 bits, after http://www.isthe.com/chongo/tech/comp/fnv/.
const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

// Partition places a key in one of n partitions: the FNV-1a 64 hash of the
// key's bytes, modulo n. The empty key, and an n of 1 or less, is partition 0.
// The placement is part of the contract: it never changes, for every hub and
// every worker must agree on it.
func Partition(key string, n int) int {
	if key == "" || n <= 1 {
		return 0
	}
	h := fnvOffset
	for i := range len(key) {
		h ^= uint64(key[i])
		h *= fnvPrime
	}
	return int(h % uint64(n))
}
