package meta

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// TextError says what is wrong with a line of the text form.
type TextError struct {
	Line   int
	Reason string
}

// Error implements error.
func (e *TextError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Format writes rows in the text form: a line each, sorted by name, so that two servers'
// commands can be compared with diff.
//
//	name arity=N flags=a,b acl=a,b tips=a,b key=BEGIN/FIND/FLAGS key=...
//
// where BEGIN is index(POS), keyword(WORD,FROM) or unknown(), and FIND is
// range(LAST,STEP,LIMIT), keynum(NUMIDX,FIRST,STEP) or unknown(). Empty fields are left out.
func Format(rows []Row) string {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Compare(a.Name, b.Name) })
	var b strings.Builder
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "%s arity=%d", r.Name, r.Arity)
		list(&b, "flags", r.Flags)
		list(&b, "acl", r.Categories)
		list(&b, "tips", r.Tips)
		for j := range r.Specs {
			b.WriteString(" key=" + r.Specs[j].String())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func list(b *strings.Builder, name string, words []string) {
	if len(words) > 0 {
		b.WriteString(" " + name + "=" + strings.Join(words, ","))
	}
}

// String returns the text form of a key specification.
func (s *KeySpec) String() string {
	begin, find := "unknown()", "unknown()"
	switch s.Begin {
	case BeginIndex:
		begin = fmt.Sprintf("index(%d)", s.Index)
	case BeginKeyword:
		begin = fmt.Sprintf("keyword(%s,%d)", s.Keyword, s.From)
	}
	switch s.Find {
	case FindRange:
		find = fmt.Sprintf("range(%d,%d,%d)", s.Last, s.Step, s.Limit)
	case FindKeyNum:
		find = fmt.Sprintf("keynum(%d,%d,%d)", s.NumIndex, s.First, s.Step)
	}
	return begin + "/" + find + "/" + strings.Join(s.Flags, ",")
}

// ParseText reads the text form. Empty lines and lines that begin with '#' are comments.
// An error is a *TextError.
func ParseText(text string) ([]Row, error) {
	var rows []Row
	line := 0
	for s := range strings.Lines(text) {
		line++
		s = strings.TrimSpace(s)
		if s == "" || s[0] == '#' {
			continue
		}
		row, err := parseLine(s)
		if err != nil {
			return nil, &TextError{Line: line, Reason: err.Error()}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func parseLine(line string) (Row, error) {
	fields := strings.Fields(line)
	row := Row{Name: fields[0]}
	if !validName(row.Name) || row.Name != strings.ToLower(row.Name) {
		return row, fmt.Errorf("bad name %q", row.Name)
	}
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		var err error
		switch name {
		case "arity":
			row.Arity, err = strconv.Atoi(value)
		case "flags":
			row.Flags = sorted(value)
		case "acl":
			row.Categories = sorted(value)
		case "tips":
			row.Tips = sorted(value)
		case "key":
			var s KeySpec
			s, err = parseKeySpec(value)
			row.Specs = append(row.Specs, s)
		default:
			err = fmt.Errorf("unknown field %q", field)
		}
		if err != nil {
			return row, err
		}
	}
	if row.Arity == 0 {
		return row, fmt.Errorf("%s has no arity", row.Name)
	}
	return row, nil
}

func sorted(list string) []string {
	words := strings.Split(list, ",")
	slices.Sort(words)
	return words
}

func parseKeySpec(text string) (KeySpec, error) {
	var s KeySpec
	bad := fmt.Errorf("bad key specification %q", text)
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return s, bad
	}
	if parts[2] != "" {
		s.Flags = sorted(parts[2])
	}
	begin, args, ok := call(parts[0])
	if !ok {
		return s, bad
	}
	var err error
	switch {
	case begin == "index" && len(args) == 1:
		s.Begin = BeginIndex
		err = numbers(args, &s.Index)
	case begin == "keyword" && len(args) == 2:
		s.Begin, s.Keyword = BeginKeyword, args[0]
		err = numbers(args[1:], &s.From)
	case begin != "unknown":
		return s, bad
	}
	if err != nil {
		return s, bad
	}
	find, args, ok := call(parts[1])
	if !ok {
		return s, bad
	}
	switch {
	case find == "range" && len(args) == 3:
		s.Find = FindRange
		err = numbers(args, &s.Last, &s.Step, &s.Limit)
	case find == "keynum" && len(args) == 3:
		s.Find = FindKeyNum
		err = numbers(args, &s.NumIndex, &s.First, &s.Step)
	case find != "unknown":
		return s, bad
	}
	if err != nil {
		return s, bad
	}
	was := s
	if s.sanitize(); s.String() != was.String() {
		return s, bad
	}
	return s, nil
}

// call takes "name(a,b)" apart.
func call(text string) (name string, args []string, ok bool) {
	name, rest, ok := strings.Cut(text, "(")
	if !ok || !strings.HasSuffix(rest, ")") {
		return "", nil, false
	}
	return name, strings.Split(strings.TrimSuffix(rest, ")"), ","), true
}

func numbers(texts []string, into ...*int) error {
	for i, text := range texts {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return err
		}
		*into[i] = int(n)
	}
	return nil
}
