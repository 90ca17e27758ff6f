package config

import (
	"errors"
	"fmt"
)

// SettingError says that the value of a setting is wrong.
type SettingError struct {
	// Key is the setting's name: the flag's without dashes.
	Key string
	// Source is where the value comes from: an environment variable or a file. Empty: the
	// command line or the default.
	Source string
	// Err is what is wrong.
	Err error
}

// Error implements error.
func (e *SettingError) Error() string {
	if e.Source != "" {
		return fmt.Sprintf("config: %s (from %s): %v", e.Key, e.Source, e.Err)
	}
	return fmt.Sprintf("config: %s: %v", e.Key, e.Err)
}

// Unwrap returns what is wrong.
func (e *SettingError) Unwrap() error { return e.Err }

// wrong returns a [*SettingError] without a source.
func wrong(key, format string, args ...any) error {
	return &SettingError{Key: key, Err: fmt.Errorf(format, args...)}
}

// located returns err with their sources put into the SettingErrors that it joins.
func located(err error, origins map[string]origin) error {
	switch e := err.(type) {
	case *SettingError:
		return &SettingError{Key: e.Key, Source: origins[e.Key].source, Err: e.Err}
	case interface{ Unwrap() []error }:
		out := make([]error, 0, len(e.Unwrap()))
		for _, part := range e.Unwrap() {
			out = append(out, located(part, origins))
		}
		return errors.Join(out...)
	}
	return err
}
