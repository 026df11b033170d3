//! Documents of Bokeh, as `bokeh.embed` writes them since Bokeh 3.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Chart, Kind, Refusal, names_an_address};

/// Models that draw without a network, without markup and without making code from text: all others of Bokeh
/// 3.4 to 3.9 (callbacks, custom JavaScript, widgets, tiles, TeX, style sheets) are not in the list.
const MODELS: &str = "\
    AdaptiveTicker AllIndices AllLabels Angular AnnularWedge Annulus Arc AreaVisuals Arrow Band BasicTicker \
    BasicTickFormatter Bezier BinnedTicker Block BooleanFilter BoxAnnotation BoxEditTool \
    BoxInteractionHandles BoxSelectTool BoxZoomTool CDSView Canvas CanvasTexture CategoricalAxis \
    CategoricalColorMapper CategoricalMapper CategoricalMarkerMapper CategoricalPatternMapper \
    CategoricalScale CategoricalTickFormatter CategoricalTicker Circle ClickPanTool ColorBar Column \
    ColumnDataSource CompositeScale CompositeTicker ContinuousTicker ContourColorBar \
    ContourRenderer CoordinateMapping CrosshairTool CumSum DataRange1d DatetimeAxis \
    DatetimeTickFormatter DatetimeTicker DaysTicker DifferenceFilter DocumentConfig Dodge \
    EdgeCoordinates EdgesAndLinkedNodes EdgesOnly Ellipse EqHistColorMapper ExamineTool FactorRange \
    Figure FixedTicker FreehandDrawTool FullscreenTool GeoJSONDataSource GlyphRenderer GraphRenderer \
    Grid GridBox GridPlot GroupByModels GroupByName GroupFilter HArea HAreaStep HBar HBox HSpan HStrip \
    HelpTool HexTile HoverTool Image ImageRGBA ImageStack ImperialLength IndexFilter Indexed \
    IntersectRenderers IntersectionFilter InversionFilter Jitter Label LabelSet LassoSelectTool \
    LayoutDOM Legend LegendItem Line LineEditTool LinearAxis LinearColorMapper LinearInterpolator \
    LinearScale LogAxis LogColorMapper LogScale LogTickFormatter LogTicker MercatorAxis \
    MercatorTickFormatter MercatorTicker Metric MetricLength MonthsTicker MultiLine MultiPolygons Ngon \
    NoOverlap Node NodeCoordinates NodesAndAdjacentNodes NodesAndLinkedEdges NodesOnly NormalHead \
    Notifications NumeralTickFormatter OpenHead PanTool Patch Patches PlainText Plot PointDrawTool \
    PolarTransform PolyAnnotation PolyDrawTool PolyEditTool PolySelectTool PrintfTickFormatter Quad \
    Quadratic Range1d RangeTool Ray ReciprocalMetric ReciprocalMetricLength Rect RedoTool \
    RendererGroup ResetTool Row SaveTool ScaleBar Scatter Segment Selection SingleIntervalTicker \
    SizeBar Slope Spacer Span Stack StackColorMapper StaticLayoutProvider Step StepInterpolator \
    SymmetricDifferenceFilter TabPanel Tabs TapTool TeeHead Text TimedeltaAxis TimedeltaTickFormatter \
    TimedeltaTicker Title Toolbar ToolProxy UndoTool UnionFilter UnionRenderers VArea VAreaStep VBar \
    VBox VSpan VStrip VeeHead Wedge WeightedStackColorMapper WheelPanTool WheelZoomTool Whisker XY \
    YearsTicker ZoomInTool ZoomOutTool";

/// Attributes that name code or addresses, and that a chart can do without.
const DROPPED: [&str; 9] = [
    "callback",
    "css_classes",
    "html_id",
    "js_event_callbacks",
    "js_property_callbacks",
    "logo",
    "on_change",
    "subscribed_events",
    "tags",
];

pub(super) fn read(document: &Value, root: Option<&str>) -> Result<Chart, Refusal> {
    // One document, or documents by their ids.
    let document = match document.get("roots") {
        Some(_) => document,
        None => document
            .as_object()
            .and_then(|all| all.values().find(|it| it.get("roots").is_some()))
            .ok_or_else(|| Refusal("it holds no document".to_owned()))?,
    };
    let version = document.get("version").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !version.bytes().all(|it| it.is_ascii_digit() || it == b'.') {
        return Refusal::because("the version of its document is odd");
    }
    let Some(Value::Array(roots)) = document.get("roots") else {
        return Refusal::because("it was made by a Bokeh before version 3");
    };
    let id = |it: &Value| it.get("id").and_then(Value::as_str).map(str::to_owned);
    let ids: Vec<String> = roots.iter().filter_map(id).collect();
    let root = match root {
        Some(root) => ids.iter().find(|it| *it == root),
        None => ids.first(),
    };
    let Some(root) = root else { return Refusal::because("it has no root that can be drawn") };
    let title =
        roots.iter().find_map(|it| it.pointer("/attributes/title/attributes/text")?.as_str());
    let title = title.map(str::to_owned);
    let mut roots = Value::Array(roots.clone());
    let models: BTreeSet<&str> = MODELS.split_ascii_whitespace().collect();
    clean(&mut roots, &models)?;
    let data = serde_json::json!({
        "doc": { "version": version, "title": "", "roots": roots },
        "root": root,
    });
    Ok(Chart { title, version: Some(version), ..Chart::new(Kind::Bokeh, &data)? })
}

fn clean(value: &mut Value, models: &BTreeSet<&str>) -> Result<(), Refusal> {
    match value {
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
            if kind == "object" {
                return object(fields, models);
            }
            // Rows of data are values, and may be many.
            if matches!(kind, "ndarray" | "bytes" | "typed_array") {
                return Ok(());
            }
            fields.values_mut().try_for_each(|it| clean(it, models))
        }
        Value::Array(items) => items.iter_mut().try_for_each(|it| clean(it, models)),
        Value::String(text) if names_an_address(text) => {
            Refusal::because("a style in it names an address")
        }
        _ => Ok(()),
    }
}

fn object(fields: &mut Map<String, Value>, models: &BTreeSet<&str>) -> Result<(), Refusal> {
    let name = fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !models.contains(name.as_str()) {
        let shown: String = name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        return Refusal::because(format!("`{shown}` needs code, markup or a network"));
    }
    let Some(Value::Object(attributes)) = fields.get_mut("attributes") else { return Ok(()) };
    for dropped in DROPPED {
        attributes.shift_remove(dropped);
    }
    if name == "Toolbar" {
        // Its link leaves the page.
        attributes.insert("logo".to_owned(), Value::Null);
    }
    if let Some(tooltips) = attributes.get_mut("tooltips")
        && !is_plain(tooltips)
    {
        // Markup of the notebook; the default shows the same values.
        attributes.shift_remove("tooltips");
    }
    if attributes.get("url").is_some_and(|it| !it.is_null()) {
        return Refusal::because("it loads from an address");
    }
    attributes.values_mut().try_for_each(|it| clean(it, models))
}

/// Pairs of texts in which no value is marked as safe markup.
fn is_plain(tooltips: &Value) -> bool {
    let is_text = |it: &Value| it.as_str().is_some_and(|it| !it.contains("safe}"));
    match tooltips {
        Value::Null => true,
        Value::Array(rows) => rows.iter().all(|row| match row {
            Value::Array(pair) => pair.iter().all(is_text),
            other => is_text(other),
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(attributes: &Value) -> Value {
        let root =
            json!({"type": "object", "name": "Figure", "id": "p1", "attributes": attributes});
        json!({"some-id": {"version": "3.9.2", "title": "x", "roots": [root]}})
    }

    fn refused(attributes: &Value) -> String {
        read(&document(attributes), None).unwrap_err().0
    }

    #[test]
    fn a_figure_is_read_without_what_acts() {
        let callback =
            json!({"type": "object", "name": "CustomJS", "attributes": {"code": "alert(1)"}});
        let toolbar =
            json!({"type": "object", "name": "Toolbar", "attributes": {"logo": "normal"}});
        let title = json!({"type": "object", "name": "Title", "attributes": {"text": "Sine"}});
        let hover =
            json!({"type": "object", "name": "HoverTool", "attributes": {"tooltips": "<b>@x</b>"}});
        let chart = read(
            &document(&json!({
                "title": title, "toolbar": toolbar, "tools": [hover],
                "js_property_callbacks": {"change:x": [callback]},
            })),
            Some("p1"),
        )
        .unwrap();
        assert_eq!((chart.title(), chart.version()), (Some("Sine"), Some("3.9.2")));
        let json = chart.json();
        assert!(json.contains(r#""logo":null"#) && json.contains(r#""root":"p1""#), "{json}");
        assert!(!json.contains("alert") && !json.contains("@x"), "{json}");
    }

    #[test]
    fn models_that_act_or_load_are_refused() {
        let model = |name: &str| json!({"a": [{"type": "object", "name": name}]});
        assert!(refused(&model("CustomJSTickFormatter")).contains("CustomJSTickFormatter"));
        assert!(refused(&model("WMTSTileSource")).contains("network"));
        assert!(refused(&model("Div")).contains("markup"));
        assert!(
            refused(&json!({"styles": {"background": "URL(https://e.x)"}})).contains("address")
        );
        let old = json!({"x": {"version": "2.4.3", "roots": {"references": []}}});
        assert!(read(&old, None).unwrap_err().0.contains("before version 3"));
        assert!(read(&document(&json!({})), Some("p2")).is_err());
    }
}
