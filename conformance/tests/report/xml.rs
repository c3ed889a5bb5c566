//! Parses XML for tests.

use quick_xml::events::Event;

/// The name and the attributes.
pub type Element = (String, Vec<(String, String)>);

/// Parses JUnit XML into elements and texts. Panics if it is not well-formed.
pub fn parsed(xml: &str) -> (Vec<Element>, String) {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let (mut elements, mut texts, mut depth) = (Vec::new(), String::new(), 0_usize);
    loop {
        let event = reader.read_event().expect("well-formed");
        match &event {
            Event::Start(tag) | Event::Empty(tag) => {
                let name = tag.name().as_ref().to_owned();
                let attributes = tag.attributes().map(|attribute| {
                    let attribute = attribute.expect("well-formed");
                    let key = attribute.key.as_ref().to_owned();
                    (
                        key,
                        quick_xml::escape::unescape(&attribute.value).expect("known references").into_owned(),
                    )
                });
                elements.push((name, attributes.collect()));
                depth += usize::from(matches!(event, Event::Start(_)));
            }
            Event::End(_) => depth -= 1,
            Event::Text(text) => texts.push_str(text),
            Event::GeneralRef(reference) => texts.push_str(&format!("&{};", &**reference)),
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "every element is closed");
    (elements, quick_xml::escape::unescape(&texts).expect("known references").into_owned())
}

/// The value of a required attribute.
pub fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> &'a str {
    attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).expect("the attribute")
}
