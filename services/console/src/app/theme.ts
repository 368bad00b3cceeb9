import { createTheme } from "@mantine/core";

/** Mantine's own colours, with cyan for what can be done; its variables are in its stylesheet already. */
export const theme = createTheme({
  primaryColor: "cyan",
  primaryShade: 9,
  autoContrast: true,
  defaultRadius: "sm",
  cursorType: "pointer",
  components: {
    // What would put a style element into the page, which the content security policy forbids.
    Modal: { defaultProps: { lockScroll: false } },
    Drawer: { defaultProps: { lockScroll: false } },
    // A label needs a role to be read.
    Loader: { defaultProps: { role: "status" } },
    // An empty part of a menu that takes the focus is no item of it.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
  },
});
