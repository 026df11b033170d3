// Addresses in values of styles and attributes. A figure may compute a colour that is an address; the policy would
// refuse the request, and with these guards it is not even made.

const address = /\\|image|src\(|url\((?!["']?(#|data:image\/))/i;

// Whether a value would load something.
export const loads = (value) => /[(\\]/.test(value) && address.test(value.replace(/url\(["']?data:image\/[^)]*\)/gi, ''));

export const guardAddresses = () => {
  const { setAttribute } = Element.prototype;
  Element.prototype.setAttribute = function (name, value) {
    const isStyle = String(name).toLowerCase() === 'style' && this.style;
    if (isStyle) this.style.cssText = loads(String(value)) ? '' : value;
    else if (!(this instanceof SVGElement && loads(String(value)))) setAttribute.call(this, name, value);
  };
  const { setProperty } = CSSStyleDeclaration.prototype;
  CSSStyleDeclaration.prototype.setProperty = function (name, value, ...rest) {
    if (!loads(String(value))) setProperty.call(this, name, value, ...rest);
  };
};
