package match

import (
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
)

// Compiler compiles definitions that share one CEL environment, because making the
// environment takes longer than compiling most filters. The zero Compiler works. It
// may be used concurrently.
type Compiler struct {
	once sync.Once
	env  *cel.Env
	err  error
}

// Compile checks and compiles a definition. Its errors are *wire.Error: of code
// invalid_filter for the field "filter" (that of Only as well), of code invalid_value for "fields" or
// one of its elements ("fields[2]"), and of code internal.
func (c *Compiler) Compile(def Definition) (*Interest, error) {
	def.Fields = slices.Clone(def.Fields)
	i := &Interest{def: def}
	var err error
	if def.Filter != "" {
		if i.filter, err = c.filter(def.Filter); err != nil {
			return nil, err
		}
	}
	if def.Only != "" {
		if i.only, err = c.filter(def.Only); err != nil {
			return nil, err
		}
	}
	if len(def.Fields) > 0 {
		if i.fields, err = compileFields(def.Fields); err != nil {
			return nil, err
		}
	}
	if def.Limit != nil {
		if err := c.compileLimit(i); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// environment returns the CEL environment of filters.
func (c *Compiler) environment() (*cel.Env, error) {
	c.once.Do(func() { c.env, c.err = newEnv() })
	return c.env, c.err
}

// CheckFilter refuses a filter that Compile would refuse, and returns its unguarded
// reads, as Interest.Unguarded does.
func CheckFilter(text string) ([]Read, error) {
	f, err := new(Compiler).filter(text)
	if err != nil {
		return nil, err
	}
	return f.unguarded, nil
}

// Compile is a Compiler's Compile for a single definition.
func Compile(def Definition) (*Interest, error) { return new(Compiler).Compile(def) }
