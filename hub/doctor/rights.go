package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/internal/permissions"
)

// namedRights bounds the subjects that a finding names.
const namedRights = 5

// judgeRights compares what the server says of the credentials with what a role needs.
func judgeRights(f *facts, r *Report) {
	if f.cfg.Conn == nil {
		return // told as server.reachable
	}
	g := r.group(GroupRights)
	if f.userErr != nil {
		do := "allow these credentials to publish to $SYS.REQ.USER.INFO, or compare them with what 'replhub auth' prints"
		if !errors.Is(f.userErr, errDenied) {
			do = "compare the user's permissions with what 'replhub auth' prints"
		}
		g.unseen("permissions.user", "", fmt.Sprintf("the server does not say who these credentials are: %v", f.userErr), do)
		return
	}
	who := fmt.Sprintf("user %q in account %q", f.user.User, f.user.Account)
	if f.user.User == "" {
		who = fmt.Sprintf("no user, in account %q", f.user.Account)
	}
	if f.user.Permissions == nil || f.user.Permissions.Publish == nil && f.user.Permissions.Subscribe == nil {
		g.pass("permissions.user", "", who+" may do everything in its account")
		return
	}
	if f.cfg.Role != nil {
		missing := missing(f.user, f.cfg.Role.Permissions)
		if len(missing) == 0 {
			g.pass("permissions.role", f.cfg.Role.Name, who+" may do what the role needs")
			return
		}
		g.fail("permissions.role", f.cfg.Role.Name, fmt.Sprintf("%s may not: %s", who, named(missing)),
			fmt.Sprintf("give the user what 'replhub auth %s' prints", f.cfg.Role.Name))
		return
	}
	var may []string
	for _, role := range []Role{
		{"hub", permissions.Hub(f.cfg.Domain)}, {"operator", permissions.Operator(f.cfg.Domain)}, {"observer", permissions.Observer()},
	} {
		if len(missing(f.user, role.Permissions)) == 0 {
			may = append(may, role.Name)
		}
	}
	if len(may) == 0 {
		g.pass("permissions.user", "", who+" has the permissions of no role but perhaps a service; --role compares them with one")
		return
	}
	g.pass("permissions.user", "", who+" may work as "+strings.Join(may, ", "))
}

// missing lists what a role needs and a user may not.
func missing(user userInfo, need permissions.Permissions) []string {
	var lacking []string
	for _, side := range []struct {
		word string
		have *userRules
		need []string
	}{
		{"publish ", user.Permissions.Publish, need.Publish.Allow},
		{"subscribe ", user.Permissions.Subscribe, withoutInbox(need)},
	} {
		for _, subject := range side.need {
			if !side.have.allow(subject) {
				lacking = append(lacking, side.word+subject)
			}
		}
	}
	return lacking
}

// withoutInbox are the subscriptions of a role without its inbox: another prefix does, too.
func withoutInbox(need permissions.Permissions) []string {
	return slices.DeleteFunc(slices.Clone(need.Subscribe.Allow), func(s string) bool { return s == need.InboxPrefix+".>" })
}

// allow reports whether rules allow all of a pattern, which may name a queue group behind
// a space.
func (r *userRules) allow(pattern string) bool {
	if r == nil {
		return true
	}
	subject, _, _ := strings.Cut(pattern, " ")
	denied := slices.ContainsFunc(r.Deny, func(d string) bool {
		denied, _, _ := strings.Cut(d, " ")
		return overlaps(denied, subject)
	})
	allowed := len(r.Allow) == 0 || slices.ContainsFunc(r.Allow, func(a string) bool {
		allowed, queue, _ := strings.Cut(a, " ")
		return covers(allowed, subject) && (queue == "" || strings.HasSuffix(pattern, " "+queue))
	})
	return allowed && !denied
}

// named joins the first few of a list.
func named(all []string) string {
	if len(all) <= namedRights {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:namedRights], ", "), len(all)-namedRights)
}
