import { type Config, environmentName, type SettingName, settings } from "../../config/settings.js";
import { systemTable, text } from "./system-table.js";

interface Row {
  readonly setting: (typeof settings)[SettingName];
  readonly value: string | number | boolean;
}

export const settingsTable = systemTable<Row>({
  name: "settings",
  help: "What the server was started with.",
  rows: ({ config }) => names(config).map((name) => ({ setting: settings[name], value: config[name] })),
  columns: [
    text("name", "The setting, as in files and flags.", ({ setting }) => setting.key),
    text("value", "What it is.", ({ value }) => String(value)),
    text("default_value", "What it is when nobody says.", ({ setting }) => String(setting.default)),
    text("variable", "Its variable in the environment.", ({ setting }) => environmentName(setting.key)),
    text("help", "What it is for.", ({ setting }) => setting.help),
  ],
});

function names(config: Config): SettingName[] {
  return Object.keys(config).filter((name): name is SettingName => Object.hasOwn(settings, name));
}
