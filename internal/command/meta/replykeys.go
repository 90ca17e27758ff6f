package meta

import "strings"

// keySpecs reads the key specifications of a command.
func (c *cursor) keySpecs() []KeySpec {
	var specs []KeySpec
	n := c.aggregate()
	for i := 0; i < n && c.err == nil; i++ {
		specs = append(specs, c.keySpec())
	}
	return specs
}

func (c *cursor) keySpec() KeySpec {
	var s KeySpec
	c.pairs(func(name string) {
		switch name {
		case "flags":
			s.Flags = c.words("")
		case "begin_search":
			c.search(func(kind string) {
				switch kind {
				case "index":
					s.Begin = BeginIndex
				case "keyword":
					s.Begin = BeginKeyword
				}
			}, func(field string) bool {
				switch field {
				case "index":
					s.Index = c.integer()
				case "keyword":
					s.Keyword = c.text()
				case "startfrom":
					s.From = c.integer()
				default:
					return false
				}
				return true
			})
		case "find_keys":
			c.search(func(kind string) {
				switch kind {
				case "range":
					s.Find = FindRange
				case "keynum":
					s.Find = FindKeyNum
				}
			}, func(field string) bool {
				switch field {
				case "lastkey":
					s.Last = c.integer()
				case "keystep":
					s.Step = c.integer()
				case "limit":
					s.Limit = c.integer()
				case "keynumidx":
					s.NumIndex = c.integer()
				case "firstkey":
					s.First = c.integer()
				default:
					return false
				}
				return true
			})
		default:
			c.skip(0)
		}
	})
	s.sanitize()
	return s
}

// sanitize makes what cannot be understood unknown, so that positions are computed only
// from specifications that make sense, whatever a module declared.
func (s *KeySpec) sanitize() {
	switch {
	case s.Begin == BeginIndex && s.Index <= 0,
		s.Begin == BeginKeyword && (!validName(s.Keyword) || strings.ContainsAny(s.Keyword, "|(),") || s.From == 0):
		s.Begin = BeginUnknown
	}
	switch {
	case s.Find == FindRange && (s.Step <= 0 || s.Limit < 0 || (s.Limit > 1 && s.Last != -1)),
		s.Find == FindKeyNum && (s.Step <= 0 || s.NumIndex < 0 || s.First <= s.NumIndex):
		s.Find = FindUnknown
	}
	if s.Begin != BeginIndex {
		s.Index = 0
	}
	if s.Begin != BeginKeyword {
		s.Keyword, s.From = "", 0
	}
	if s.Find != FindRange {
		s.Last, s.Limit = 0, 0
	}
	if s.Find != FindKeyNum {
		s.NumIndex, s.First = 0, 0
	}
	if s.Find == FindUnknown {
		s.Step = 0
	}
}

// pairs reads a map, or an array that stands for one in RESP2, and calls value behind each
// name, to read what belongs to it.
func (c *cursor) pairs(value func(name string)) {
	n := c.aggregate()
	if n%2 != 0 {
		c.fail("a map with an odd number of elements")
	}
	for i := 0; i < n && c.err == nil; i += 2 {
		value(strings.ToLower(c.text()))
	}
}

// search reads {type, spec}. The field function reads a field that it knows.
func (c *cursor) search(kind func(string), field func(string) bool) {
	c.pairs(func(name string) {
		switch name {
		case "type":
			kind(strings.ToLower(c.text()))
		case "spec":
			c.pairs(func(name string) {
				if c.err == nil && !field(name) {
					c.skip(0)
				}
			})
		default:
			c.skip(0)
		}
	})
}
