package command

// keysByHand finds the keys of commands that the server routes by hand-made functions
// (getkeys_proc in its source), which these follow, where key specifications do not describe
// the keys (SORT, MIGRATE) or find others than those functions in calls that are well formed:
// COMMAND GETKEYS and ACLs go by the specifications, redirects by the functions. They append
// the keys' positions to dst, and return what is wrong with a malformed call.
var keysByHand = map[string]func(args [][]byte, dst []int) ([]int, string){
	"sort":              sortKeys,
	"sort_ro":           firstKey,
	"migrate":           migrateKeys,
	"xread":             streamKeys,
	"xreadgroup":        streamKeys,
	"georadius":         radiusKeys,
	"georadiusbymember": radiusKeys,
}

// streamKeys: XREAD and XREADGROUP, [GROUP group consumer] [COUNT n] [BLOCK ms] [NOACK]
// STREAMS key... id..., the options in any order. They are walked, because the group or the
// consumer may be called "streams". Words that are not known may be options of newer servers.
func streamKeys(args [][]byte, dst []int) ([]int, string) {
	for i := 1; i < len(args); i++ {
		switch {
		case optionIs(args[i], "BLOCK"), optionIs(args[i], "COUNT"):
			i++
		case optionIs(args[i], "GROUP"):
			i += 2
		case optionIs(args[i], "NOACK"):
		case optionIs(args[i], "STREAMS"):
			n := len(args) - i - 1
			if n == 0 || n%2 != 0 {
				return dst, "not as many IDs as keys"
			}
			for k := i + 1; k <= i+n/2; k++ {
				dst = append(dst, k)
			}
			return dst, ""
		}
	}
	return dst, "no STREAMS"
}

// radiusKeys: GEORADIUS and GEORADIUSBYMEMBER key ... [STORE destination] [STOREDIST
// destination]. Of several destinations the last one counts.
func radiusKeys(args [][]byte, dst []int) ([]int, string) {
	dst, wrong := firstKey(args, dst)
	if wrong != "" {
		return dst, wrong
	}
	store := 0
	for i := 5; i+1 < len(args); i++ {
		if optionIs(args[i], "STORE") || optionIs(args[i], "STOREDIST") {
			i++
			store = i
		}
	}
	if store > 0 {
		dst = append(dst, store)
	}
	return dst, ""
}

// sortKeys: SORT key [BY pattern] [LIMIT offset count] [GET pattern]... [ASC|DESC] [ALPHA]
// [STORE destination]. Words that belong to an option are stepped over, so that a pattern
// called "store" is not one. Of several STORE the last one counts. The patterns are no keys:
// on a cluster the server allows only those that stay in the key's slot.
func sortKeys(args [][]byte, dst []int) ([]int, string) {
	dst, wrong := firstKey(args, dst)
	if wrong != "" {
		return dst, wrong
	}
	store := 0
	for i := 2; i < len(args); i++ {
		switch {
		case optionIs(args[i], "LIMIT"):
			i += 2
		case optionIs(args[i], "GET"), optionIs(args[i], "BY"):
			i++
		case optionIs(args[i], "STORE") && i+1 < len(args):
			// What follows is looked at as an option too, as the server does.
			store = i + 1
		}
	}
	if store > 0 {
		dst = append(dst, store)
	}
	return dst, ""
}

// firstKey: the first argument is the only key.
func firstKey(args [][]byte, dst []int) ([]int, string) {
	if len(args) < 2 {
		return dst, "too few arguments"
	}
	return append(dst, 1), ""
}

// migrateKeys: MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password]
// [AUTH2 user password] [KEYS key...]. The options are walked, because a password may be
// "keys". KEYS beside a key that is not empty is an error, which the key's owner words.
func migrateKeys(args [][]byte, dst []int) ([]int, string) {
	if len(args) < 6 {
		return dst, "too few arguments"
	}
	if len(args[3]) > 0 {
		return append(dst, 3), ""
	}
	for i := 6; i < len(args); i++ {
		switch {
		case optionIs(args[i], "AUTH"):
			i++
		case optionIs(args[i], "AUTH2"):
			i += 2
		case optionIs(args[i], "KEYS"):
			if i+1 == len(args) {
				break // no keys follow: the server then takes the empty one
			}
			for i++; i < len(args); i++ {
				dst = append(dst, i)
			}
			return dst, ""
		}
	}
	return append(dst, 3), ""
}
