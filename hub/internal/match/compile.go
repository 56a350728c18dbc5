package match

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"

	"github.com/replhub/replhub/internal/contract"
)

// The bounds of a filter. They count steps and sizes, never time: every hub
// must decide alike.
const (
	// MaxFilter is the longest filter, in bytes.
	MaxFilter = 4096
	// costLimit bounds, in CEL's unit of about one operation, what a filter is
	// estimated to cost when it is registered and what it may cost on an event.
	costLimit = 200_000
	// assumedSize is how many elements, members or characters the estimate
	// takes everything in an event to have.
	assumedSize = 100
	// nodeLimit bounds a filter's parsed size, macros expanded.
	nodeLimit = 4096
)

// filter compiles a filter. Its errors are *contract.Error.
func (c *Compiler) filter(text string) (*filter, error) {
	if len(text) > MaxFilter {
		return nil, badFilter("%d bytes long; at most %d are allowed", len(text), MaxFilter)
	}
	env, err := c.environment()
	if err != nil {
		return nil, contract.Errorf(contract.CodeInternal, "make the filter's environment: %v", err)
	}
	parsed, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, badFilter("%s", issueLine(issues))
	}
	if t := parsed.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, badFilter("yields %s, not a bool; compare it with something", t)
	}
	if problem := check(parsed.NativeRep().Expr()); problem != "" {
		return nil, badFilter("%s", problem)
	}
	estimate, err := env.EstimateCost(parsed, assumed{})
	if err != nil {
		return nil, badFilter("its cost cannot be estimated: %s", oneLine(err.Error()))
	}
	if estimate.Max > costLimit {
		return nil, badFilter("too expensive: over %d steps on lists and texts of %d; nest fewer macros", costLimit, assumedSize)
	}
	program, err := env.Program(parsed,
		cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit), cel.CostTracking(meter{}))
	if err != nil {
		return nil, badFilter("%s", oneLine(err.Error()))
	}
	expr := parsed.NativeRep().Expr()
	return &filter{program: program, unguarded: unguarded(expr), reads: dataReads(expr), payload: readsData(expr)}, nil
}

func badFilter(format string, args ...any) error {
	return contract.FieldErrorf(contract.CodeInvalidFilter, "filter", format, args...)
}

// newEnv is the environment of filters: CEL's standard library with its macros.
func newEnv() (*cel.Env, error) {
	return cel.NewCustomEnv(
		cel.StdLib(),
		cel.CustomTypeAdapter(adapter{}),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ExpressionNodeLimit(nodeLimit),
		cel.ParserRecursionLimit(100),
		cel.RegexProgramSizeLimit(1000),
		cel.Variable("data", cel.DynType),
		cel.Variable("entity", cel.StringType),
		cel.Variable("op", cel.StringType),
		cel.Variable("key", cel.StringType),
		cel.Variable("headers", cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable("time", cel.TimestampType),
	)
}

// assumed estimates sizes for the check at registration.
type assumed struct{}

// EstimateSize implements cost.Estimator: everything of unknown size is taken
// to have assumedSize.
func (assumed) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if size := node.ComputedSize(); size != nil && size.Max < 1<<32 {
		return size
	}
	return &cost.SizeEstimate{Min: 0, Max: assumedSize}
}

// EstimateCallCost implements cost.Estimator: CEL's own estimates hold.
func (assumed) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
