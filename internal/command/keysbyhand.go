package command

// keysByHand finds the keys of commands that the server itself marks as not described by
// key specifications (unknown or incomplete). The server has hand-made functions for the
// same commands (getkeys_proc in its source); these follow them.
var keysByHand = map[string]func(args [][]byte, dst []int) ([]int, error){
	"sort":    sortKeys,
	"sort_ro": firstKey,
	"migrate": migrateKeys,
}

// sortKeys: SORT key [BY pattern] [LIMIT offset count] [GET pattern]... [ASC|DESC] [ALPHA]
// [STORE destination]. Words that belong to an option are stepped over, so that a pattern
// called "store" is not one. Of several STORE the last one counts. The patterns are no keys:
// on a cluster the server allows only those that stay in the key's slot.
func sortKeys(args [][]byte, dst []int) ([]int, error) {
	dst, err := firstKey(args, dst)
	if err != nil {
		return dst, err
	}
	store := 0
	for i := 2; i < len(args); i++ {
		switch {
		case equalFold(args[i], "LIMIT"):
			i += 2
		case equalFold(args[i], "GET"), equalFold(args[i], "BY"):
			i++
		case equalFold(args[i], "STORE") && i+1 < len(args):
			// What follows is looked at as an option too, as the server does.
			store = i + 1
		}
	}
	if store > 0 {
		dst = append(dst, store)
	}
	return dst, nil
}

// firstKey: the first argument is the only key.
func firstKey(args [][]byte, dst []int) ([]int, error) {
	if len(args) < 2 {
		return dst, &MalformedError{Command: "sort", Reason: "too few arguments"}
	}
	return append(dst, 1), nil
}

// migrateKeys: MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password]
// [AUTH2 user password] [KEYS key...]. The options are walked, because a password may be
// "keys". KEYS beside a key that is not empty is an error, which the key's owner words.
func migrateKeys(args [][]byte, dst []int) ([]int, error) {
	if len(args) < 6 {
		return dst, &MalformedError{Command: "migrate", Reason: "too few arguments"}
	}
	if len(args[3]) > 0 {
		return append(dst, 3), nil
	}
	for i := 6; i < len(args); i++ {
		switch {
		case equalFold(args[i], "AUTH"):
			i++
		case equalFold(args[i], "AUTH2"):
			i += 2
		case equalFold(args[i], "KEYS"):
			if i+1 == len(args) {
				break // no keys follow: the server then takes the empty one
			}
			for i++; i < len(args); i++ {
				dst = append(dst, i)
			}
			return dst, nil
		}
	}
	return append(dst, 3), nil
}
