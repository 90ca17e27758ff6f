package config

import "reflect"

// Setting is what the tags of a field of [Config] say.
type Setting struct {
	// Name is the flag without its dashes, and the key in a file; Env the environment variable.
	Name, Env string
	// Default is the value without any source, as one would write it; Placeholder stands for
	// a value in help.
	Default, Placeholder string
	// Least and Most are the range: figures, or names of settings. Both empty: there is none.
	Least, Most string
	// Words are the only values, comma separated; empty: others are allowed.
	Words string
	// Help says what the setting means. Group is the heading it stands under.
	Help, Group string
	// Repeatable says that it is a list.
	Repeatable bool
	// Secret says that no output shows the value.
	Secret bool

	index []int // of the field, for reflect.Value.FieldByIndex
}

// Settings returns every setting of the server, in the order of the struct.
func Settings() []Setting { return settingsOf(reflect.TypeFor[Config](), nil) }

func settingsOf(of reflect.Type, parent []int) []Setting {
	var out []Setting
	for i := range of.NumField() {
		field := of.Field(i)
		index := append(append([]int(nil), parent...), i)
		if _, embedded := field.Tag.Lookup("embed"); embedded {
			out = append(out, settingsOf(field.Type, index)...)
			continue
		}
		name := field.Tag.Get("name")
		if name == "" {
			continue
		}
		out = append(out, Setting{
			Name: name, Env: field.Tag.Get("env"),
			Default: field.Tag.Get("default"), Placeholder: field.Tag.Get("placeholder"),
			Least: field.Tag.Get("min"), Most: field.Tag.Get("max"), Words: field.Tag.Get("enum"),
			Help: field.Tag.Get("help"), Group: field.Tag.Get("group"),
			Repeatable: field.Type.Kind() == reflect.Slice,
			Secret:     field.Type == reflect.TypeFor[Secret](),
			index:      index,
		})
	}
	return out
}
