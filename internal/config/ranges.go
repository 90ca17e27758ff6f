package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// checkRanges checks every setting that has a range. A bound that is itself out of its range
// binds nothing: its own error says what is wrong.
func checkRanges(c *Config) error {
	settings := Settings()
	values := make(map[string]reflect.Value)
	for _, s := range settings {
		values[s.Name] = reflect.ValueOf(c).Elem().FieldByIndex(s.index)
	}
	failed := make(map[string]error)
	for _, s := range settings {
		if s.Least != "" {
			failed[s.Name] = s.check(values)
		}
	}
	var errs []error
	for _, s := range settings {
		if failed[s.Name] != nil && failed[s.Least] == nil && failed[s.Most] == nil {
			errs = append(errs, failed[s.Name])
		}
	}
	return errors.Join(errs...)
}

// check checks a setting's value against its range.
func (s Setting) check(values map[string]reflect.Value) error {
	switch value := values[s.Name].Interface().(type) {
	case time.Duration:
		return inRange(s, value, values, time.ParseDuration)
	case Size:
		return inRange(s, value, values, ParseSize)
	case int:
		return inRange(s, value, values, strconv.Atoi)
	case float64:
		return inRange(s, value, values, func(text string) (float64, error) { return strconv.ParseFloat(text, 64) })
	default:
		return wrong(s.Name, "has a range, but values of %T have none", value)
	}
}

func inRange[T cmp.Ordered](s Setting, value T, values map[string]reflect.Value, parse func(string) (T, error)) error {
	least, errLeast := bound(s.Least, values, parse)
	most, errMost := bound(s.Most, values, parse)
	if err := errors.Join(errLeast, errMost); err != nil {
		return wrong(s.Name, "%w", err)
	}
	if !(value >= least && value <= most) { // so that what is no number is not in range either
		return wrong(s.Name, "%v is out of range: %s to %s are allowed", value, figure(s.Least, least), figure(s.Most, most))
	}
	return nil
}

// bound returns the figure that a bound stands for: another setting's value, or its own.
func bound[T any](text string, values map[string]reflect.Value, parse func(string) (T, error)) (T, error) {
	if other, ok := values[text]; ok {
		value, ok := other.Interface().(T)
		if !ok {
			return value, fmt.Errorf("its bound %s is of another kind", text)
		}
		return value, nil
	}
	return parse(text)
}

// figure writes a bound, with the name of the setting that it is.
func figure[T any](text string, value T) string {
	if _, err := strconv.Atoi(text[:1]); err == nil {
		return fmt.Sprint(value)
	}
	return fmt.Sprintf("%v (%s)", value, text)
}
