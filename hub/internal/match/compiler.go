package match

import (
	"slices"
	"sync"

	"cel.dev/cel-go/cel"
)

// Compiler compiles definitions that belong together: they share what filters
// may say, which takes longer to make than most filters take to compile. The
// zero Compiler works. It is safe for concurrent use.
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
	return i, nil
}

// environment is what filters may say.
func (c *Compiler) environment() (*cel.Env, error) {
	c.once.Do(func() { c.env, c.err = newEnv() })
	return c.env, c.err
}

// CheckFilter refuses a filter that Compile would refuse, and returns what it
// reads without a guard, as Interest.Unguarded does.
func CheckFilter(text string) ([]Read, error) {
	f, err := new(Compiler).filter(text)
	if err != nil {
		return nil, err
	}
	return f.unguarded, nil
}

// Compile is a Compiler's Compile, for one definition alone.
func Compile(def Definition) (*Interest, error) { return new(Compiler).Compile(def) }
