//! [`Program::explain`]: an expression as a tree with the value of every part.

use super::error::EvalError;
use super::evaluate::{Fault, Machine, Scope, eval};
use super::json::Json;
use super::node::{Loop, LoopKind, Node, Op};
use super::program::{Bindings, Budget, Code, Program};
use super::value::Value;
use std::ops::Range;

/// A part of an expression, its value, and the parts that it was made of. Constants and parts
/// that were not needed (`b` of `false && b`) are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Bytes of the source that the part stands in: that of the program, or of the definition
    /// that this part is in.
    pub span: Range<usize>,
    /// The part as it was written.
    pub source: String,
    /// For a part of a macro, which element it is about.
    pub element: Option<Json>,
    pub value: Result<Json, EvalError>,
    /// The type of the value; `absent` for a field that is not there, `error` for none.
    pub type_name: &'static str,
    /// Whether the answer of the whole expression comes from this part.
    pub decided: bool,
    pub parts: Vec<Tree>,
}

/// The most elements of a macro that are shown.
const MOST_ELEMENTS: usize = 20;

impl Program {
    /// Evaluates the expression part by part.
    #[must_use]
    pub fn explain<'a>(&'a self, bindings: &Bindings<'a>) -> Tree {
        let mut machine = Machine::new(None, bindings, Budget::default());
        explain_code(&self.code, &mut machine, true)
    }
}

fn explain_code<'a>(code: &'a Code, m: &mut Machine<'a, '_>, decided: bool) -> Tree {
    let outer = m.enter(code);
    let tree = Explainer { code }.explain(&code.root, None, m, decided);
    m.leave(outer);
    tree
}

struct Explainer<'a> {
    code: &'a Code,
}

type Variables<'r, 's, 'a> = Option<&'r Scope<'s, 'a>>;

impl<'a> Explainer<'a> {
    fn explain(
        &self,
        node: &'a Node,
        scope: Variables<'_, '_, 'a>,
        m: &mut Machine<'a, '_>,
        decided: bool,
    ) -> Tree {
        let result = eval(node, scope, m);
        let parts = self.parts(node, &result, scope, m, decided);
        let span = node.span.range();
        Tree {
            source: self
                .code
                .source
                .get(span.clone())
                .unwrap_or_default()
                .to_owned(),
            span,
            element: None,
            type_name: result.as_ref().map_or("error", Value::type_name),
            value: result.map(|value| value.to_json()).map_err(|fault| *fault),
            decided,
            parts,
        }
    }

    fn parts(
        &self,
        node: &'a Node,
        result: &Result<Value<'a>, Fault>,
        scope: Variables<'_, '_, 'a>,
        m: &mut Machine<'a, '_>,
        decided: bool,
    ) -> Vec<Tree> {
        match &node.op {
            Op::And(terms) => self.terms(terms, Some(false), result, scope, m, decided),
            Op::Or(terms) => self.terms(terms, Some(true), result, scope, m, decided),
            Op::Cond(parts) => {
                let [condition, yes, no] = &**parts;
                let condition = self.explain(condition, scope, m, decided);
                let chosen = match &condition.value {
                    Ok(Json::Bool(true)) => yes,
                    Ok(_) => no,
                    Err(_) => return vec![condition],
                };
                let mut trees = vec![condition];
                trees.extend(self.shown(chosen, scope, m, decided));
                trees
            }
            Op::Loop(l) => self.elements(l, scope, m, decided),
            Op::Bind(parts) => {
                let mut trees = vec![self.explain(&parts[0], scope, m, decided)];
                if let Ok(value) = eval(&parts[0], scope, m) {
                    let inner = Scope { value, up: scope };
                    trees.extend(self.shown(&parts[1], Some(&inner), m, decided));
                }
                trees
            }
            // Their second part has a variable of its own.
            Op::OptionalMap(parts, _) => vec![self.explain(&parts[0], scope, m, decided)],
            Op::Recheck(inner) | Op::As(inner, _) => self.parts(inner, result, scope, m, decided),
            Op::Definition(number) => {
                let (_, program) = &self.code.definitions[usize::from(*number)];
                vec![explain_code(&program.code, m, decided)]
            }
            _ => node
                .children()
                .into_iter()
                .filter_map(|child| self.shown(child, scope, m, decided))
                .collect(),
        }
    }

    /// A part, unless it is a constant.
    fn shown(
        &self,
        node: &'a Node,
        scope: Variables<'_, '_, 'a>,
        m: &mut Machine<'a, '_>,
        decided: bool,
    ) -> Option<Tree> {
        let constant = matches!(node.op, Op::Const(_));
        (!constant).then(|| self.explain(node, scope, m, decided))
    }

    /// The terms of `&&` or `||` up to the one that decided; if none did, all of them did.
    fn terms(
        &self,
        terms: &'a [Node],
        decisive: Option<bool>,
        result: &Result<Value<'a>, Fault>,
        scope: Variables<'_, '_, 'a>,
        m: &mut Machine<'a, '_>,
        decided: bool,
    ) -> Vec<Tree> {
        let one_was_enough = result.as_ref().ok().and_then(Value::as_bool) == decisive;
        let mut trees = Vec::new();
        for term in terms {
            let mut tree = self.explain(term, scope, m, decided);
            let enough = tree.value.as_ref().ok().and_then(Json::as_bool) == decisive;
            if one_was_enough && !enough {
                tree.undecide();
            }
            if result.is_err() && tree.value.is_ok() {
                tree.undecide();
            }
            trees.push(tree);
            if enough {
                break;
            }
        }
        trees
    }

    /// The range of a macro, and its condition for each element up to the one that decided.
    fn elements(
        &self,
        l: &'a Loop,
        scope: Variables<'_, '_, 'a>,
        m: &mut Machine<'a, '_>,
        decided: bool,
    ) -> Vec<Tree> {
        let mut trees = vec![self.explain(&l.range, scope, m, decided)];
        let Ok(range) = eval(&l.range, scope, m) else {
            return trees;
        };
        let Some(body) = l.condition.as_ref().or(l.transform.as_ref()) else {
            return trees;
        };
        let rounds = range.elements().map_or_else(
            || range.pairs().unwrap_or_default(),
            |items| (0..).map(Value::Int).zip(items).collect(),
        );
        let is_list = range.elements().is_some();
        for (key, value) in rounds.into_iter().take(MOST_ELEMENTS) {
            let single = if is_list { value.clone() } else { key.clone() };
            let element = if l.variables == 2 {
                value.clone()
            } else {
                single
            };
            let outer = Scope {
                value: key,
                up: scope,
            };
            let inner = if l.variables == 2 {
                Scope {
                    value,
                    up: Some(&outer),
                }
            } else {
                Scope {
                    value: element.clone(),
                    up: scope,
                }
            };
            let mut tree = self.explain(body, Some(&inner), m, decided);
            tree.element = Some(element.to_json());
            let answer = tree.value.as_ref().ok().and_then(Json::as_bool);
            let enough = matches!(
                (l.kind, answer),
                (LoopKind::Exists, Some(true)) | (LoopKind::All, Some(false))
            );
            if enough {
                trees[1..].iter_mut().for_each(Tree::undecide);
                trees.push(tree);
                break;
            }
            trees.push(tree);
        }
        trees
    }
}

impl Tree {
    fn undecide(&mut self) {
        self.decided = false;
        self.parts.iter_mut().for_each(Tree::undecide);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::tests::{compiled, env, json};

    /// One line a part: what decided is marked.
    fn lines(tree: &Tree, depth: usize, out: &mut String) {
        let mark = if tree.decided { "*" } else { " " };
        let element = tree
            .element
            .as_ref()
            .map(|e| format!("[{e}] "))
            .unwrap_or_default();
        let value = match &tree.value {
            Ok(value) => value.to_string(),
            Err(error) => error.to_string(),
        };
        let indent = "  ".repeat(depth);
        out.extend([
            mark,
            &indent,
            " ",
            &element,
            &tree.source,
            " = ",
            &value,
            "\n",
        ]);
        tree.parts
            .iter()
            .for_each(|part| lines(part, depth + 1, out));
    }

    fn shown(program: &Program) -> String {
        let object = json(
            r#"{"spec": {"replicas": 3}, "status": {"phase": "Failed", "conditions": [
                {"type": "Ready", "status": "False"}, {"type": "Other", "status": "True"}]}}"#,
        );
        let tree = program.explain(&Bindings::new().json("object", &object));
        let mut out = String::new();
        lines(&tree, 0, &mut out);
        out
    }

    #[test]
    fn the_parts_that_decided_are_marked() {
        insta::assert_snapshot!(shown(&compiled("object.status.phase == 'Failed' && object.spec.replicas > 5 && true")), @r#"
        * object.status.phase == 'Failed' && object.spec.replicas > 5 && true = false
            object.status.phase == 'Failed' = true
              object.status.phase = "Failed"
        *   object.spec.replicas > 5 = false
        *     object.spec.replicas = 3
        "#);
        insta::assert_snapshot!(shown(&compiled("object.status.conditions.exists(c, c.status == 'True')")), @r#"
        * object.status.conditions.exists(c, c.status == 'True') = true
        *   object.status.conditions = [{"status":"False","type":"Ready"},{"status":"True","type":"Other"}]
            [{"status":"False","type":"Ready"}] c.status == 'True' = false
              c.status = "False"
        *   [{"status":"True","type":"Other"}] c.status == 'True' = true
        *     c.status = "True"
        "#);
        insta::assert_snapshot!(shown(&compiled("object.spec.replicas + 'x' == 'y' || object.nothing")), @r"
        * object.spec.replicas + 'x' == 'y' || object.nothing = int + string is not possible
        *   object.spec.replicas + 'x' == 'y' = int + string is not possible
        *     object.spec.replicas + 'x' = int + string is not possible
        *       object.spec.replicas = 3
            object.nothing = null
        ");
    }

    #[test]
    fn a_definition_shows_its_own_parts() {
        let ready = compiled("condition(object, 'Ready')");
        let env = env().define("variables", "ready", &ready);
        let program = env
            .compile("variables.ready.status == 'True'")
            .expect("it compiles");
        insta::assert_snapshot!(shown(&program), @r#"
        * variables.ready.status == 'True' = false
        *   variables.ready.status = "False"
        *     variables.ready = {"status":"False","type":"Ready"}
        *       condition(object, 'Ready') = {"status":"False","type":"Ready"}
        *         object = {"spec":{"replicas":3},"status":{"conditions":[{"status":"False","type":"Ready"},{"status":"True","type":"Other"}],"phase":"Failed"}}
        "#);
    }
}
