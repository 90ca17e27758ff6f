package acceptance

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	valkeybatchv1 "github.com/valkeybatch/valkeybatch/gen/go/valkeybatch/v1"
)

// row is one command of a group and its exact result.
type row struct {
	// do is the command's words with single spaces between. "@" stands for the test's own
	// hash tag, here and in want, so that all keys of a group lie in one slot; the word '' is
	// empty. A leading "+" marks what redis-server 7.0 does not have.
	do string
	// want is the result as render writes it, with the members of sets sorted; "re:" and a
	// regular expression where the result is not always the same.
	want string
}

// words returns the row's command for a hash tag.
func (r row) words(tag string) []string {
	words := strings.Split(strings.ReplaceAll(strings.TrimPrefix(r.do, "+"), "@", tag), " ")
	for i, w := range words {
		if w == "''" {
			words[i] = ""
		}
	}
	return words
}

// group sends the rows in one batch and compares every result.
func (e *env) group(t *testing.T, rows []row) {
	t.Helper()
	e.groupAs(t, rows, e.batch)
}

// groupAs is group for a batch that is made in another way: with a route, for one.
func (e *env) groupAs(t *testing.T, rows []row, batch func(...*valkeybatchv1.Command) request) {
	t.Helper()
	var commands []*valkeybatchv1.Command
	for _, r := range rows {
		commands = append(commands, cmd(r.words(e.tag)...))
	}
	results := e.must(t, batch(commands...))
	for i, r := range rows {
		got := render(sorted(results[i]))
		if !matches(got, strings.ReplaceAll(r.want, "@", e.tag)) {
			t.Errorf("%d: %s = %s, want %s", i, r.do, got, r.want)
		}
	}
}

// matches compares a rendered result with what it should be.
func matches(got, want string) bool {
	if expr, ok := strings.CutPrefix(want, "re:"); ok {
		return regexp.MustCompile(`(?s)^(?:` + expr + `)$`).MatchString(got)
	}
	return got == want
}

// sorted sorts the members of the sets in a value: a server that hashes them gives them in
// any order.
func sorted(v *valkeybatchv1.Value) *valkeybatchv1.Value {
	for _, element := range v.GetArrayValue().GetElements() {
		sorted(element)
	}
	for _, entry := range v.GetMapValue().GetEntries() {
		sorted(entry.GetKey())
		sorted(entry.GetValue())
	}
	if members := v.GetSetValue().GetMembers(); members != nil {
		for _, m := range members {
			sorted(m)
		}
		slices.SortFunc(members, func(a, b *valkeybatchv1.Value) int { return strings.Compare(render(a), render(b)) })
	}
	return v
}

// before7 leaves out what redis-server 7.0 does not have.
func before7(rows []row) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return strings.HasPrefix(r.do, "+") })
}

func groupTest(t *testing.T, rows []row) {
	t.Helper()
	matrix(t, "SC", "AP", func(t *testing.T, e *env) { e.group(t, rows) })
}

func TestAcceptance016_Strings(t *testing.T)        { groupTest(t, stringRows) }
func TestAcceptance017_Bitmaps(t *testing.T)        { groupTest(t, bitmapRows) }
func TestAcceptance018_Generic(t *testing.T)        { groupTest(t, genericRows) }
func TestAcceptance019_Hashes(t *testing.T)         { groupTest(t, hashRows) }
func TestAcceptance021_Lists(t *testing.T)          { groupTest(t, listRows) }
func TestAcceptance022_Sets(t *testing.T)           { groupTest(t, setRows) }
func TestAcceptance023_045_SortedSets(t *testing.T) { groupTest(t, sortedSetRows) }
func TestAcceptance024_Geo(t *testing.T)            { groupTest(t, geoRows) }
func TestAcceptance025_HyperLogLog(t *testing.T)    { groupTest(t, hyperLogLogRows) }
func TestAcceptance026_Streams(t *testing.T)        { groupTest(t, streamRows) }
func TestAcceptance039_SortByPatterns(t *testing.T) { groupTest(t, sortRows) }

// GET # is refused by a cluster of 8.0, which takes # for a key of any slot.
func TestAcceptance039_SortGetElement(t *testing.T) {
	matrix(t, "S", "AP", func(t *testing.T, e *env) {
		e.group(t, []row{
			{"RPUSH @l 2 1", "2"},
			{"MSET @n1 one @n2 two", "OK"},
			{"SORT @l GET @n* GET # DESC", `["two" "2" "one" "1"]`},
		})
	})
}
