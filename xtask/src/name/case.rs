//! Spelling of type names and function names.

use heck::ToUpperCamelCase as _;

/// `PascalCase` as typify does it, so that both use the same type names.
pub fn pascal(text: &str) -> String {
    let out = text.replace(|character: char| !character.is_alphanumeric(), " ").to_upper_camel_case();
    if out.starts_with(|first: char| first.is_ascii_digit()) { format!("X{out}") } else { out }
}

/// `snake_case`; runs of capitals are one word: `getRingnityOAuthJwks` → `get_ringnity_oauth_jwks`.
pub fn snake(text: &str) -> String {
    let text = text.replace("OAuth", "Oauth").replace("OpenId", "Openid").replace("IDs", "Ids");
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::new();
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_alphanumeric() {
            if !out.ends_with('_') && !out.is_empty() {
                out.push('_');
            }
            continue;
        }
        if character.is_uppercase() && index > 0 {
            let before = characters[index - 1];
            let next_lower = characters.get(index + 1).is_some_and(|next| next.is_lowercase());
            if (before.is_lowercase() || before.is_ascii_digit() || (before.is_uppercase() && next_lower))
                && !out.ends_with('_')
            {
                out.push('_');
            }
        }
        out.extend(character.to_lowercase());
    }
    let out = out.trim_matches('_').to_owned();
    if out.starts_with(|first: char| first.is_ascii_digit()) { format!("x_{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_names_into_words() {
        for (name, expected) in [
            ("getContact", "get_contact"),
            ("listOAuthClients", "list_oauth_clients"),
            ("Get HTTPStatus", "get_http_status"),
            ("get-contact", "get_contact"),
            ("already_snake", "already_snake"),
        ] {
            assert_eq!(snake(name), expected);
        }
    }
}
