//! The macros over lists and maps.

use super::Checker;
use crate::cel::node::{Loop, LoopKind, Node};
use crate::cel::types::Type;

impl<'p> Checker<'p> {
    pub(super) fn loop_macro(&mut self, l: &'p Loop) -> Type {
        let range = self.of(&l.range);
        let (key, value) = self.elements(&range, &l.range);
        let variables = match (l.variables, &range) {
            (2, _) => vec![key.clone(), value.clone()],
            (_, Type::List(_)) => vec![value.clone()],
            _ => vec![key.clone()],
        };
        let outer = self.locals.len();
        self.locals.extend(variables.clone());
        if let Some(condition) = &l.condition {
            self.condition(condition);
        }
        let transform = l.transform.as_ref().map(|transform| self.of(transform));
        self.locals.truncate(outer);
        let of = transform.unwrap_or(Type::Dyn);
        match l.kind {
            LoopKind::All | LoopKind::Exists | LoopKind::ExistsOne => Type::Bool,
            LoopKind::Filter | LoopKind::SortBy => {
                Type::list(variables.into_iter().next_back().unwrap_or(Type::Dyn))
            }
            LoopKind::Map => Type::list(of),
            LoopKind::TransformMap => Type::map(key, of),
            LoopKind::TransformMapEntry => match of {
                of @ Type::Map(..) => of,
                _ => Type::Dyn,
            },
        }
    }

    /// Key (or index) and value of what a macro goes over.
    fn elements(&mut self, of: &Type, node: &'p Node) -> (Type, Type) {
        match of {
            Type::Dyn | Type::Null => (Type::Dyn, Type::Dyn),
            Type::List(item) => (Type::Int, (**item).clone()),
            Type::Map(key, value) => ((**key).clone(), (**value).clone()),
            Type::Object(_) => (Type::String, Type::Dyn),
            other => {
                let message = format!("a list or map is expected here, not {}", other.article());
                self.problem(node.span.range(), message, None);
                (Type::Dyn, Type::Dyn)
            }
        }
    }
}
